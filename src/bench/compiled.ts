import { UserError } from '../formats/user-error.ts';
import { CARDS } from './cards.ts';
import type { CompiledKernel, CompiledPath } from './forecast.ts';

/** The kernels of each target, as in the JSON of `npm run isa`. */
export type Compiled = Readonly<
  Record<string, { readonly date?: string; readonly kernels: readonly CompiledKernel[] }>
>;

/** The compilers' figures from the text of that file. Throws UserError. */
export function parseCompiled(text: string, file: string): Compiled {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (error) {
    throw new UserError(`${file}: not JSON (${(error as Error).message}); expected what npm run isa writes.`);
  }
  const targets = typeof found === 'object' && found !== null ? Object.values(found) : [];
  const isTarget = (one: unknown) => Array.isArray((one as { kernels?: unknown } | null)?.kernels);
  if (targets.length === 0 || !targets.every(isTarget)) {
    throw new UserError(`${file}: no kernels by target; expected the JSON that npm run isa writes.`);
  }
  if (!CARDS.some(({ target }) => (found as Compiled)[target]?.kernels.some(({ way }) => way))) {
    const names = [...new Set(CARDS.map(({ target }) => target))].join(', ');
    throw new UserError(
      `${file}: no kernel's way with its cycles for any of ${names}; run npm run isa of this version.`,
    );
  }
  return found as Compiled;
}

/** Parts of a kernel's way, and the numbers of each, in the order in which they are kept. */
const PARTS = ['once', 'round', 'chunk'] as const;
const NUMBERS = ['cycles', 'multiplies', 'fma', 'matrix', 'vector', 'other'] as const;

/** Figures as they come with the program: by target and label, a kernel's occupancy and the numbers of its parts. */
type Kept = Record<string, { date: string; kernels: Record<string, readonly number[]> }>;

/** Kernels that no step calls: others', and those of answers. */
const OTHERS = /^peer: |decode|matvec/;

/** What a forecast reads of figures, for the cards that are known; kernels that multiply nothing are left out. */
export function keptCompiled(compiled: Compiled): Kept {
  const targets = [...new Set(CARDS.map(({ target }) => target))].filter((target) => compiled[target]);
  return Object.fromEntries(
    targets.map((target) => {
      const { date = '', kernels } = compiled[target]!;
      const kept = kernels
        .filter(({ label, way }) => way && way.round.multiplies > 0 && !OTHERS.test(label))
        .toSorted((a, b) => (a.label < b.label ? -1 : 1))
        .map(({ label, occupancy = 1, way }) => {
          const { once, round, chunk = round } = way!;
          return [label, [occupancy, ...[once, round, chunk].flatMap(numbersOf)]] as const;
        });
      return [target, { date, kernels: Object.fromEntries(kept) }];
    }),
  );
}

function numbersOf({ cycles, multiplies, fma, matrix, vector, ...others }: CompiledPath): number[] {
  const other = Object.values(others).reduce((sum, count) => sum + count, 0);
  return [cycles, multiplies, fma, matrix, vector, other];
}

/** The figures that come with the program. */
export async function shippedCompiled(): Promise<Compiled> {
  const { default: kept } = await import('./compiled.json');
  return Object.fromEntries(
    Object.entries(kept as Kept).map(([target, { date, kernels }]) => [
      target,
      { date, kernels: Object.entries(kernels).map(([label, numbers]) => kernelOf(label, numbers)) },
    ]),
  );
}

function kernelOf(label: string, [occupancy, ...numbers]: readonly number[]): CompiledKernel {
  const parts = PARTS.map((part, i) => [
    part,
    Object.fromEntries(NUMBERS.map((name, k) => [name, numbers[NUMBERS.length * i + k]])),
  ]);
  return { label, occupancy, way: Object.fromEntries(parts) as NonNullable<CompiledKernel['way']> };
}
