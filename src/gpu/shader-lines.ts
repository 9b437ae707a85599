/** What the build writes before the text of each file that a shader is made of; see shaders/vite-plugin.ts. */
const MARK = /^\/\/# (.+):(\d+)$/;

/** Which line of which file in shaders/ the `line` of a kernel's text comes from, both counted from 1: "argmax.wgsl:7". */
export function sourceLine(code: string, line: number): string | undefined {
  const lines = code.split('\n').slice(0, line);
  for (let at = lines.length - 1; at >= 0; at--) {
    const [, file, first] = MARK.exec(lines[at]!) ?? [];
    if (file !== undefined) {
      return `${file}:${Number(first) + line - at - 2}`;
    }
  }
  return undefined;
}
