/** Throws if two maps differ, naming what is missing, extra or different, with the first difference of each. */
export function expectSame(found: Record<string, unknown>, whole: Record<string, unknown>): void {
  const lines: string[] = [];
  for (const key of Object.keys({ ...whole, ...found })) {
    if (!(key in found)) {
      lines.push(`${key} is missing`);
    } else if (!(key in whole)) {
      lines.push(`${key} is too much`);
    } else {
      const [a, b] = [found[key], whole[key]].map((value) => JSON.stringify(value) ?? 'undefined');
      const at = [...a!].findIndex((character, i) => character !== b![i]);
      if (a !== b) {
        lines.push(
          `${key} differs: …${a!.slice(Math.max(0, at - 40), at + 60)}… instead of …${b!.slice(Math.max(0, at - 40), at + 60)}…`,
        );
      }
    }
  }
  if (lines.length > 0) {
    throw new Error(lines.join('\n'));
  }
}
