/** The port of `npm start` only: an address is an origin, and a browser stores runs by origin. */
export const PORT = 17388;

/** The port on which `npm start` served earlier versions: Vite's default, which any project's preview may use. */
export const EARLIER_PORT = 4173;
