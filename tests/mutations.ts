/**
 * Ways to break the engine, one at a time, and the test that notices. `npm run test:long` breaks a copy of the
 * project in each of these ways and fails if the named test does not.
 */
export interface Mutation {
  what: string;
  file: string;
  find: string;
  replace: string;
  /** File, and a part of the name of the test that must fail. */
  test: readonly [file: string, name: string];
}

export const MUTATIONS: readonly Mutation[] = [
  {
    what: "the optimizer's 8-bit state: moments decoded with each other's map",
    file: 'src/gpu/kernels/optimizer/adamw8bit.ts',
    find: '...signedDynamicMap(), ...unsignedDynamicMap()',
    replace: '...unsignedDynamicMap(), ...signedDynamicMap()',
    test: ['tests/gpu/kernels/optimizer/adamw8bit.test.ts', ''],
  },
  {
    what: "the optimizer's sign fix",
    file: 'shaders/optimizer/adamw8bit.wgsl',
    find: 'pack(select(m_code, vec4u(126u), signless))',
    replace: 'pack(m_code)',
    test: ['tests/gpu/kernels/optimizer/adamw8bit.test.ts', ''],
  },
  {
    what: 'weight decay',
    file: 'src/gpu/kernels/optimizer/adamw8bit.ts',
    find: 'decay: 1 - learningRate * weightDecay',
    replace: 'decay: 1',
    test: ['tests/gpu/kernels/optimizer/adamw8bit.test.ts', ''],
  },
  {
    what: 'double quantization of the scales',
    file: 'src/model/base/read/tensor-format.ts',
    find: 'return doubleQuant ? { nestedBlock: DYNAMIC_BLOCK } : {};',
    replace: 'return {};',
    test: ['tests/gpu/model/forward.test.ts', 'recipe_text'],
  },
  {
    what: 'the loss mask: every token trained',
    file: 'src/text/packing.ts',
    find: 'if (i > 0 && row.trained[i]) {',
    replace: 'if (i > 0) {',
    test: ['tests/unit/text/packing.test.ts', ''],
  },
  {
    what: "accumulation: the loss divided by the pass's tokens, not the step's",
    file: 'src/train/step.ts',
    find: 'lossBegin, gradScale });',
    replace: 'lossBegin, gradScale: 1 / targets });',
    test: ['tests/gpu/train/packing.test.ts', 'one row a pass, dropout 0'],
  },
  {
    what: 'the accumulation count: one micro-batch too few in a step',
    file: 'src/train/window.ts',
    find: 'Math.min(rows, begin + accumulation * batch)',
    replace: 'Math.min(rows, begin + (accumulation - 1) * batch)',
    test: ['tests/unit/train/schedule.test.ts', ''],
  },
  {
    what: 'the layout of RoPE: the rotation turned the other way',
    file: 'shaders/rope.wgsl',
    find: 'x[at] = x1 * c - x2 * s;',
    replace: 'x[at] = x1 * c + x2 * s;',
    test: ['tests/gpu/kernels/rope.test.ts', ''],
  },
  {
    what: 'the layout of RoPE: neighboring pairs in place of halves',
    file: 'shaders/rope.wgsl',
    find: 'let at = first + row * 2u * HALF2 + pair;\n  let x1 = x[at];\n  let x2 = x[at + HALF2];\n  x[at] = x1 * c - x2 * s;\n  x[at + HALF2] = x2 * c + x1 * s;',
    replace:
      'let at = first + 2u * (row * HALF2 + pair);\n  let x1 = vec2f(x[at].x, x[at + 1u].x);\n  let x2 = vec2f(x[at].y, x[at + 1u].y);\n  let y1 = x1 * c - x2 * s;\n  let y2 = x2 * c + x1 * s;\n  x[at] = vec2f(y1.x, y2.x);\n  x[at + 1u] = vec2f(y1.y, y2.y);',
    test: ['tests/gpu/model/forward.test.ts', 'recipe_text'],
  },
  {
    what: 'the LoRA part of the input gradient',
    file: 'src/model/linear.ts',
    find: 'const lora = pair && dropout === 0 ?',
    replace: 'const lora = pair && dropout < 0 ?',
    test: ['tests/gpu/model/gradients.test.ts', 'recipe_text'],
  },
  {
    what: 'the document mask: rows of a pass see each other',
    file: 'src/model/batch.ts',
    find: 'ranges[2 * t] = pass.docBegin[t]!;',
    replace: 'ranges[2 * t] = 0;',
    test: ['tests/gpu/model/forward.test.ts', 'recipe_text'],
  },
  {
    what: 'resume without the optimizer state',
    file: 'src/run/run.ts',
    find: 'session.optimizer.write((name) => tensors.get(name)!);',
    replace: 'void tensors;',
    test: ['tests/gpu/run/resume.test.ts', 'at the end of an epoch'],
  },
];
