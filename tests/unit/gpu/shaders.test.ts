import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveIncludes } from '../../../shaders/vite-plugin.ts';
import { headDimText } from '../../../src/gpu/kernels/attention/subgroup-matrix.ts';
import { GRIDS, matrixHead } from '../../../src/gpu/kernels/shared/subgroup-matrix-kernels.ts';
import { namesOf } from '../../support/wgsl.ts';

const filesOf = (folder: string, end: string) =>
  (readdirSync(folder, { recursive: true }) as string[])
    .filter((file) => file.endsWith(end))
    .map((file) => file.replaceAll('\\', '/'))
    .sort();
const folderOf = (file: string) => (file.includes('/') ? dirname(file) : '');

const SHADERS = filesOf('shaders', '.wgsl');
const text = (file: string) => readFileSync(join('shaders', file), 'utf8');
const resolved = (file: string) => resolveIncludes(file, text).code;
const includesOf = (file: string) => [...text(file).matchAll(/#include "(.*)"/g)].map(([, path]) => path!);

/** Which shader each file of src imports. */
const IMPORTS = filesOf('src', '.ts').flatMap((file) =>
  [...readFileSync(join('src', file), 'utf8').matchAll(/from '(?:\.\.\/)+shaders\/(.*\.wgsl)'/g)].map(
    ([, shader]) => ({ file, shader: shader! }),
  ),
);
/** The folder in shaders/ that a file of src has to itself. */
const ownFolder = (file: string) => folderOf(file.replace(/^gpu\/(kernels\/)?/, ''));

/** The shaders that are whole kernels, and what is put before them at run time. */
const INCLUDED = new Set(SHADERS.flatMap(includesOf));
const CHOSEN = SHADERS.filter((file) =>
  /\/(reduce|subgroup_matrix|packed_matrix|\w+_gate_up)_by_/.test(file),
);
const KERNELS = SHADERS.filter((file) => !INCLUDED.has(file) && !CHOSEN.includes(file));

/** The lines that say what a text requires, from the text that includes it or from what is chosen at run time. */
function requirementsOf(file: string) {
  const lines = text(file).match(/^.*requires:.*$/gm) ?? [];
  return lines.map((line) => {
    const found = /^\/\/ requires: ([\w.]+(?:, [\w.]+)*)(?: from (\S+))?$/.exec(line);
    if (!found) {
      throw new Error(`shaders/${file}: "${line}"; expected // requires: NAME, NAME [from WHERE]`);
    }
    return { names: found[1]!.split(', '), from: found[2] };
  });
}
const sorted = (names: Iterable<string>) => [...names].sort();

/** The texts that stand behind a word after `from`: what TypeScript writes, or one of several files. */
function sourcesOf(from: string): string[] {
  if (from === 'matrixHead') {
    return [matrixHead({ M: 16, N: 8, K: 16 }, GRIDS[0]!, 32)];
  }
  if (from === 'headDimText') {
    return [headDimText(64)];
  }
  const [, begin, choices, end] = /^(.*)\{(.*)\}(.*)$/.exec(from)!;
  return choices!.split(',').map((choice) => resolved(begin! + choice + end!));
}

describe('every shader', () => {
  it('is imported or included, and only from its own folder or shared/', () => {
    const users = new Map(SHADERS.map((shader): [string, string[]] => [shader, []]));
    const strangers: string[] = [];
    const use = (shader: string, user: string, folder: string) => {
      users.get(shader)?.push(user);
      if (![folder, 'shared'].includes(folderOf(shader))) {
        strangers.push(`${user} uses ${shader}`);
      }
    };
    for (const { file, shader } of IMPORTS) {
      use(shader, `src/${file}`, ownFolder(file));
    }
    for (const file of SHADERS) {
      for (const path of includesOf(file)) {
        use(path, file, folderOf(file));
      }
    }
    expect(strangers).toEqual([]);
    expect([...users].filter(([, of]) => of.length === 0)).toEqual([]);
  });

  it.each(SHADERS)('%s includes what is there, in lines of at most 118 columns', (file) => {
    expect(() => resolved(file)).not.toThrow();
    expect(
      text(file)
        .split('\n')
        .filter((line) => [...line].length > 118),
    ).toEqual([]);
  });

  it.each([...INCLUDED, ...CHOSEN])('%s says what it requires of the text around it', (file) => {
    const requirements = requirementsOf(file);
    expect(requirements.filter(({ from }) => from)).toEqual([]);
    expect(sorted(requirements.flatMap(({ names }) => names))).toEqual(sorted(namesOf(resolved(file)).free));
  });

  it.each(KERNELS)('%s says what it requires of what is chosen at run time, which has it', (file) => {
    const requirements = requirementsOf(file);
    const { declared, free } = namesOf(resolved(file));
    expect(sorted(requirements.flatMap(({ names }) => names))).toEqual(sorted(free));
    for (const { names, from } of requirements) {
      for (const source of sourcesOf(from!)) {
        const chosen = namesOf(source);
        expect([from, ...names.filter((name) => !chosen.declared.has(name))]).toEqual([from]);
        const missing = [...chosen.free].filter((name) => !declared.has(name) && !free.has(name));
        expect([from, ...missing]).toEqual([from]);
      }
    }
  });
});
