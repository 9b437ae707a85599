import { pipelineLabel } from '../gpu/kernel.ts';
import type { Listener } from '../gpu/stream.ts';
import type { Card } from './cards.ts';
import type { Compiled } from './compiled.ts';
import { bytesMoved } from './counts.ts';
import { type Called, forecastCall } from './forecast.ts';
import { workgroupThreads } from './workgroup-threads.ts';

/** A call of a step. */
export interface StepCall extends Called {
  kernel: string;
  label: string;
}

/** Invocations of workgroups, by kernel and label: finding them takes longer than a dry run's dispatch. */
const SIZES = new WeakMap<object, Map<string, number>>();

/** Gathers a stream's calls from now on. */
export function gathering(): { calls: StepCall[]; listener: Listener } {
  const calls: StepCall[] = [];
  const listener: Listener = ({ spec }, call) => {
    const { constants, groups, work = 0 } = call;
    const [x, y = 1, z = 1] = groups;
    const label = pipelineLabel(spec, constants);
    const sizes = SIZES.get(spec) ?? new Map<string, number>();
    SIZES.set(spec, sizes);
    const threads = sizes.get(label) ?? workgroupThreads(spec.code, constants);
    sizes.set(label, threads);
    calls.push({ kernel: spec.name, label, work, groups: x * y * z, threads, bytes: bytesMoved(call) });
  };
  return { calls, listener };
}

/** A step of one card: seconds in all, waiting for memory and by kernel. */
export interface StepForecast {
  seconds: number;
  moving: number;
  kernels: Map<string, number>;
  /** Pipelines that compute, but of which the compiler said nothing, and how often they are called. */
  unknown: Map<string, number>;
}

/** What a card is expected to take for these calls. */
export function forecastCalls(card: Card, compiled: Compiled, calls: readonly StepCall[]): StepForecast {
  const found = new Map((compiled[card.target]?.kernels ?? []).map((kernel) => [kernel.label, kernel]));
  const step: StepForecast = { seconds: 0, moving: 0, kernels: new Map(), unknown: new Map() };
  for (const { kernel, label, ...call } of calls) {
    // One text serves both directions, and a driver that has compiled it says nothing the second time.
    const figures = found.get(label) ?? found.get(label.replace('_grad_packed', '_packed'));
    const { seconds, moves, known } = forecastCall(card, figures, call);
    step.seconds += seconds;
    step.moving += moves ? seconds : 0;
    step.kernels.set(kernel, (step.kernels.get(kernel) ?? 0) + seconds);
    if (!known) {
      step.unknown.set(label, (step.unknown.get(label) ?? 0) + 1);
    }
  }
  return step;
}
