/** A shader's text with its includes resolved; see vite-plugin.ts. */
declare module '*.wgsl' {
  const code: string;
  export default code;
}
