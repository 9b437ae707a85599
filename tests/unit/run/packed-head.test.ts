import { beforeAll, expect, it } from 'vitest';
import { headCandidates } from '../../../src/gpu/autotune/candidates.ts';
import { HEAD_CLASS } from '../../../src/gpu/autotune/kernel-selection.ts';
import type { Gpu } from '../../../src/gpu/device.ts';
import { LM_HEADS, PACKED_HEAD } from '../../../src/gpu/kernels/lm-head/index.ts';
import { PACKED_HEAD_ROWS } from '../../../src/gpu/kernels/lm-head/packed.ts';
import { openNullGpu } from '../../../src/gpu/null-device.ts';
import { logitRows } from '../../../src/model/activations.ts';
import { prepare, type Prepared } from '../../../src/run/input/prepare.ts';
import { drySession, plainPass } from '../../../src/run/plan/dry-run.ts';
import { newExecutionPlanOf } from '../../../src/run/plan/execution-plan.ts';
import { keptWithPackedHead, roomForPackedHead } from '../../../src/run/plan/memory-choice.ts';
import { memoryPlan } from '../../../src/run/plan/memory-plan.ts';
import { planInput } from '../../../src/run/session.ts';
import { globals } from '../../support/null-webgpu.mjs';
import { caseInputs } from '../../support/run-case.ts';

const TOKENS = 1024;
const FUSED = LM_HEADS.find(({ precision }) => precision === 'matrix')!.name;

/** A GPU with subgroup matrices, which computes nothing. */
function matrixGpu(): Gpu {
  const { device } = openNullGpu();
  const limits = {
    ...device.limits,
    maxStorageBuffersPerShaderStage: 10,
    maxComputeWorkgroupStorageSize: 49152,
    maxComputeInvocationsPerWorkgroup: 1024,
  };
  const features = new Set(['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix']);
  const shapes = [{ M: 16, N: 16, K: 16 }];
  const matrix = { dialect: 'order', shapes, subgroupSize: 32, sized: false };
  return openNullGpu({ device: { limits, features, adapterInfo: {} }, matrix } as unknown as Gpu);
}

let prepared: Prepared;
beforeAll(async () => {
  Object.assign(globalThis, globals);
  prepared = await prepare(await caseInputs('recipe_text'), () => undefined);
});

/** A run's plan with this variant of the head. */
const planWith = (head: string) =>
  newExecutionPlanOf(matrixGpu(), TOKENS, { precision: 'matrix', tiles: { [HEAD_CLASS]: head } });

it.each([FUSED, PACKED_HEAD])(
  'with the head by "%s", a run holds what its memory plan says, to the byte',
  async (head) => {
    const gpu = matrixGpu();
    const plan = planWith(head);
    const { stream, runner, optimizer } = drySession(prepared, plan, gpu);
    const planned = memoryPlan(planInput(prepared, plan));
    expect(Object.fromEntries(stream.gpu.memory.byKind())).toEqual(Object.fromEntries(planned));

    const used = new Set<string>();
    stream.listener = ({ spec: { name } }, { constants = {} }) =>
      void used.add(name.startsWith('pack_weights') ? `packed from ${constants['STORED']}` : name);
    const call = { t: 1, learningRate: 0, seed: 0, epoch: 0 };
    await runner.train([plainPass(TOKENS)], optimizer, call);
    const packs = head === PACKED_HEAD;
    // The table has 16 bits a number, the weights are NF4.
    expect([...used].some((name) => /^packed from [12]$/.test(name))).toBe(packs);
    expect([...used].some((name) => name.startsWith('head_matmul'))).toBe(!packs);
  },
);

it('the packed table is offered where there is room beside all that is kept, for passes of many tokens', () => {
  const input = planInput(prepared, planWith(FUSED));
  const { config } = prepared.model;
  const all = { keep: '3'.repeat(config.layers), optimizer: 'resident' } as const;
  const enough = keptWithPackedHead(input);
  expect(roomForPackedHead(input, all, enough)).toBe(true);
  expect(roomForPackedHead(input, all, enough - 1)).toBe(false);
  expect(roomForPackedHead({ ...input, passTokens: PACKED_HEAD_ROWS - 1 }, all, enough)).toBe(false);
  expect(logitRows({ config, tokens: TOKENS, packedHead: true })).toBe(PACKED_HEAD_ROWS);

  const names = (packed: boolean) =>
    headCandidates({ precision: 'matrix', head: { vocab: 64, rows: 64, packed } }, matrixGpu()).map(
      ({ name }) => name,
    );
  expect(names(true)).toContain(PACKED_HEAD);
  expect(names(false)).toEqual(names(true).filter((name) => name !== PACKED_HEAD));
});
