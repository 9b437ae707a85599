// docs/ISA.md from the figures.
import { markRows, oneDigit, perMatrix, showFma } from './marks.ts';
import type { KernelResult, Results, TargetResult } from './results.ts';
import { type Target, type TargetName, targetOf, TARGETS } from './targets.ts';

interface Column {
  target: Target;
  result: TargetResult;
}

const number = (value: number | undefined): string =>
  value === undefined ? '' : value.toLocaleString('en-US');

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** Labels in the order of the first target that has them; peers last. */
function labelsOf(columns: readonly Column[], admit: (kernel: KernelResult) => boolean): string[] {
  const kernels = columns.flatMap(({ result }) => result.kernels).filter(admit);
  const labels = [...new Set(kernels.map(({ label }) => label))].toSorted();
  const isPeer = (label: string) => label.startsWith('peer: ');
  return [...labels.filter((label) => !isPeer(label)), ...labels.filter(isPeer)];
}

/** One row a kernel, one column a GPU. */
function across(
  columns: readonly Column[],
  admit: (kernel: KernelResult) => boolean,
  cell: (kernel: KernelResult) => string,
): string {
  const rows = labelsOf(columns, admit).map((label) => [
    label,
    ...columns.map(({ result }) => {
      const kernel = result.kernels.find((one) => one.label === label);
      return kernel && admit(kernel) ? cell(kernel) : '';
    }),
  ]);
  return table(['', ...columns.map(({ target }) => target.title)], rows);
}

const usesMatrices = ({ way }: KernelResult): boolean => (way?.loop?.matrix ?? 0) > 0;
const multiplies = ({ way }: KernelResult): boolean => way?.loop?.matrix === 0;

const spilled = ({ spills }: KernelResult): string => (spills ? ` (${spills} spilled)` : '');

const COLUMNS = [
  'registers',
  'spilled',
  'occupancy',
  'instructions',
  'cycles',
  'FMA',
  'matrix',
  'vector',
  'LDS',
  'memory',
  'scalar',
  'barriers',
];

function kernelRow({ label, way, ...facts }: KernelResult): string[] {
  const loop = way?.loop;
  const { registers, spills, occupancy, instructions, cycles } = facts;
  const mix = loop
    ? [loop.fma, loop.matrix, loop.vector, loop.lds, loop.global + loop.spill, loop.scalar, loop.barrier]
    : new Array<undefined>(7).fill(undefined);
  return [label, ...[registers, spills, occupancy, instructions, cycles, ...mix].map(number)];
}

function ofTarget({ target, result }: Column): string {
  const rows = labelsOf([{ target, result }], () => true).map((label) =>
    kernelRow(result.kernels.find((one) => one.label === label)!),
  );
  return `### ${target.title}

${target.name} (\`${target.target}\`), Mesa ${result.mesa ?? 'unknown'}, ${result.date}. ${target.notes}

${table(['', ...COLUMNS], rows)}
${result.failed.map((text) => `\n- Without figures: ${text.replaceAll(/\s+/g, ' ')}`).join('')}`;
}

/** The document; targets without figures are named as such. */
export function document(results: Results): string {
  const columns = TARGETS.flatMap((name): Column[] => {
    const result = results[name];
    return result ? [{ target: targetOf(name), result }] : [];
  });
  const missing = TARGETS.filter((name: TargetName) => !results[name]);
  const spills = columns.map(({ target, result }) => {
    const all = result.kernels.filter(({ label }) => !label.startsWith('peer: '));
    const some = all.filter((kernel) => kernel.spills);
    return [
      target.title,
      number(all.length),
      some.map(({ label, spills }) => `${label}: ${spills}`).join('; ') || 'none',
    ];
  });
  return `# What the compilers make of the kernels

Made by \`npm run isa\`; do not edit. The shaders of every variant and precision that autotuning can choose for Qwen2.5-1.5B, compiled for GPUs that are not there by Mesa's real compilers over no-op kernel drivers (Debian's mesa-drm-shim). Nothing was run: the figures say what a GPU would be given to do, not how long it takes.

\`\`\`
npm run isa                                       every GPU below: an hour and more, most of it NVK
npm run isa -- --target amd:navi31 --only matrix  one GPU, some pipelines; the other figures stay (dist/isa/isa.json)
npm run isa -- --root FOLDER                      a Debian with mesa-drm-shim; without it, this machine's or one that is made
\`\`\`

${missing.length > 0 ? `Not measured this time: ${missing.map((name) => `${targetOf(name).title} (\`${name}\`)`).join(', ')}.\n` : ''}
What is counted is one round of the hottest loop: of the loops with at least sixteen multiply-adds, the one with most of them for its length (a matrix product stands for 64). Of its branches the way of a tile in the middle of a product counts, the one with most multiply-adds; blocks at an edge do not. A loop inside of it counts four times. On AMD, a line that issues two operations counts as its multiply-adds, or as one vector instruction if it has none. A packed f16 multiply-add counts as one.

## Marks

Of each GPU's kernels; what they are taken from stands below.

${table(['', ...columns.map(({ target }) => target.title)], markRows(columns.map(({ result }) => result.kernels)))}

## Matrix products

Vector instructions for each matrix instruction: decoding, staging, bounds and addresses around the product. Registers spilled in parentheses.

${across(columns, usesMatrices, (kernel) => `${oneDigit(perMatrix(kernel.way!.loop!))}${spilled(kernel)}`)}

## Multiply-adds

Share of FMAs among vector instructions, and LDS operations an FMA.

${across(columns, multiplies, (kernel) => `${showFma(kernel.way!.loop!)}${spilled(kernel)}`)}

## Spills

${table(['', 'pipelines', 'registers spilled'], spills)}

## Peers

Kernels of others, written anew in \`tests/bench/isa/peers\` to be compiled as ours are.

- **dense_f16_packed**: nobody's kernel, the mark to reach. f16 × f16 with f32 sums, both operands packed beforehand by matrices of 16 × 16 and loaded straight from storage; a subgroup computes 4 × 4 matrices. No edges, no decoding, no workgroup memory. The right matrices are loaded one by one, each before its four products: with all eight loaded first, ACO copies a matrix of sums in each round.
- **ort_nbits_128**: ONNX Runtime's 4-bit product on subgroup matrices, 128 × 128 a workgroup. Kept: activations packed by matrices in storage, weights decoded 32 deep into workgroup memory with rows of 40 halves, two threads a row, 4 × 4 matrices a subgroup, the check of the last column. Changed: sums in f32, as ours (the original's are f16, for which ACO shuffles halves: about 30 vector instructions a product instead of 12 on RDNA3, with spills), scales in a plain array, 8 as zero point. Left out: tiles at the edge of the result, bias, 8-bit weights, selection among several weights.
- **tfjs_packed**: TensorFlow.js' f32 product of matrices whose sizes are multiples of four, not transposed: tiles of 32 × 32 by 8 × 8 threads of 4 × 4 results, 32 deep. Kept: both tiles as arrays of rows, bounds checked for reads of the left operand and for the result only, all loops left to the compiler. Left out: batches, bias and activation.

## Every pipeline

FMA, matrix, vector, LDS, memory, scalar instructions and barriers are those of the hottest loop.

${columns.map(ofTarget).join('\n\n')}
`;
}
