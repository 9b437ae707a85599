/** The port of `npm start` and of nothing else: an address is an origin, and a browser keeps runs by origin. */
export const PORT = 17388;

/** Where `npm start` served earlier versions: Vite's own port, which any project's preview may take. */
export const EARLIER_PORT = 4173;
