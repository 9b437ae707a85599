import type { Gpu } from '../gpu/device.ts';
import { compileKernels } from '../gpu/kernel.ts';
import { openNullGpu } from '../gpu/null-device.ts';
import { allocateBase } from '../model/base/allocate.ts';
import { drySession, neededKernels, plainPass } from '../run/plan/dry-run.ts';
import { newExecutionPlanOf } from '../run/plan/execution-plan.ts';
import { assembleSession, planInput, type Session, type SessionInputs, withMemory } from '../run/session.ts';
import { type Timing, timing } from './measure.ts';
import { benchInputs, type ModelName, modelTitle } from './models.ts';
import type { Cell, ReportSection } from './report.ts';

/** Tokens of the pass. */
const tokensOf = (name: ModelName): number => (name === 'tiny' ? 16 : 1024);

/**
 * What a step of one row takes of this thread, in f32: to decide what is called, to record it and to submit it, without
 * a wait for the device. On a device that computes, other work of the driver may count in; so this is measured best on
 * one that does not. Throws UserError if the device has no room.
 */
export async function measureHost(
  gpu: Gpu,
  name: ModelName,
  rounds: number,
  onProgress: (text: string) => void,
): Promise<ReportSection> {
  const tokens = tokensOf(name);
  const inputs = benchInputs(name, tokens, tokens);
  const plan = withMemory(newExecutionPlanOf(gpu, tokens), gpu, inputs);
  onProgress(`${modelTitle(name)}: host time, on a device that is not there`);
  const alone = drySession(inputs, plan, openNullGpu(gpu));
  const rows: Cell[][] = [await hostRow('this program alone', alone, tokens, rounds)];
  if (!gpu.software) {
    const needed = await neededKernels({ ...inputs, shortest: tokens }, plan, gpu);
    await compileKernels(gpu, needed, (done) => onProgress(`compiling kernels, ${done} of ${needed.length}`));
    onProgress(`${modelTitle(name)}: host time`);
    rows.push(await hostRow('with WebGPU and the driver', deviceSession(gpu, inputs, plan), tokens, rounds));
  }
  return {
    name: 'host',
    title: `Host time of a step of ${modelTitle(name)}, one row of ${tokens} tokens, f32`,
    columns: ['', 'dispatches', 'submits', 'ms', 'fastest', 'slowest', 'µs a dispatch'],
    rows,
    notes: [
      'Until the last submit, without a wait for the device.',
      ...(gpu.software ? ['The device computes on the CPU, so its own part is left out.'] : []),
    ],
  };
}

/** A session on the device whose weights are zeros. */
function deviceSession(gpu: Gpu, inputs: SessionInputs, plan: Session['plan']): Session {
  const base = allocateBase(gpu, inputs.model, {
    doubleQuant: inputs.inputs.recipe.quantization.useDoubleQuant,
    positions: planInput(inputs, plan).positions,
  });
  return assembleSession(gpu, base, inputs, plan, inputs.adapter.weights);
}

async function hostRow(title: string, session: Session, tokens: number, rounds: number): Promise<Cell[]> {
  const { stream, runner, optimizer } = session;
  // Whatever the device does, nothing waits for it before the step's end.
  stream.throttle = () => Promise.resolve();
  const pass = plainPass(tokens);
  let submitted = 0;
  const submit = stream.submit.bind(stream);
  stream.submit = () => {
    submit();
    submitted = performance.now();
  };
  const seconds: number[] = [];
  let counts = { ...stream.counts };
  // The first makes the bind groups.
  for (let t = 1; t <= rounds + 1; t++) {
    counts = { ...stream.counts };
    const begun = performance.now();
    try {
      await runner.train([pass], optimizer, { t, learningRate: 0, seed: 1, epoch: 0 });
    } catch (error) {
      // What came of a submitted step does not matter here: a device that computes nothing has no finite gradients.
      if (submitted < begun) {
        throw error;
      }
    }
    if (t > 1) {
      seconds.push((submitted - begun) / 1000);
    }
  }
  const dispatches = stream.counts.dispatches - counts.dispatches;
  return [title, dispatches, stream.counts.submits - counts.submits, ...cells(timing(seconds), dispatches)];
}

const cells = ({ seconds, fastest, slowest }: Timing, dispatches: number): number[] =>
  [1e3 * seconds, 1e3 * fastest, 1e3 * slowest, (1e6 * seconds) / dispatches].map((value) =>
    Number(value.toFixed(2)),
  );
