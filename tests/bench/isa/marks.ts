// The marks that kernels are built to, as one table.
import type { Path } from './path.ts';
import type { KernelResult } from './results.ts';

/** Vector instructions, multiply-adds among them, for each product of matrices. */
export const perMatrix = ({ matrix, fma, vector }: Path): number => (fma + vector) / matrix;
/** Multiply-adds among a loop's vector instructions. */
export const fmaShare = ({ fma, vector }: Path): number => fma / (fma + vector);

export const oneDigit = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));
export const showFma = (loop: Path): string =>
  `${(100 * fmaShare(loop)).toFixed(0)}%, ${(loop.lds / loop.fma).toFixed(2)}`;

/** Kernels on matrices: all forms count, so the worst is shown. */
const MATRIX: readonly (readonly [string, RegExp])[] = [
  [
    'vector instructions a matrix instruction, products forward, packed: the worst form',
    /^nf4_matmul_packed /,
  ],
  ['the same, gradients', /^nf4_matmul_grad_packed /],
];

/** Kernels in f32: autotuning takes the best tile. */
const F32: readonly (readonly [string, RegExp])[] = [
  [
    'FMAs among vector instructions, LDS operations an FMA: products forward, the best tile',
    /^nf4_matmul, f32/,
  ],
  ['the same, gradients', /^nf4_matmul_grad, f32/],
  ["the head's product", /^head_matmul, f32/],
  ["the head's gradient", /^head_matmul_grad, f32/],
  ['attention', /^attention, f32/],
  ["attention's keys and values", /^attention_backward_kv, f32/],
  ["attention's queries", /^attention_backward_q, f32/],
];

/**
 * A row for each mark: its name, and what each GPU's kernels come to. Of products the loop over their depth counts, with
 * all that it reads; of attention, whose loops over a head are short, the hottest.
 */
export function markRows(columns: readonly (readonly KernelResult[])[]): string[][] {
  const loopsOf = (kernels: readonly KernelResult[], name: RegExp, hasMatrices: boolean) =>
    kernels
      .filter(({ label }) => name.test(label))
      .flatMap(({ label, way }) => (label.startsWith('attention') ? way?.loop : way?.chunk) ?? [])
      .filter(({ matrix }) => matrix > 0 === hasMatrices);
  const spilled = columns.map((kernels) =>
    kernels.reduce((sum, { label, spills }) => sum + (label.startsWith('peer: ') ? 0 : (spills ?? 0)), 0),
  );
  return [
    ['registers spilled, all pipelines', ...spilled.map(String)],
    ...MATRIX.map(([mark, name]) => [
      mark,
      ...columns.map((kernels) => {
        const all = loopsOf(kernels, name, true).map(perMatrix);
        return all.length > 0 ? oneDigit(Math.max(...all)) : '';
      }),
    ]),
    ...F32.map(([mark, name]) => [
      mark,
      ...columns.map((kernels) => {
        const [best] = loopsOf(kernels, name, false).toSorted((a, b) => fmaShare(b) - fmaShare(a));
        return best ? showFma(best) : '';
      }),
    ]),
  ];
}
