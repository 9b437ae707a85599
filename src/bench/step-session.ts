import { counted } from '../formats/words.ts';
import type { Gpu } from '../gpu/device.ts';
import { parseSaved } from '../model/activation-checkpointing.ts';
import type { RunEvent } from '../run/events.ts';
import type { ExecutionPlan } from '../run/plan/execution-plan.ts';
import { newExecutionPlan } from '../run/plan/new-execution-plan.ts';
import type { PrecisionChoice } from '../run/precision.ts';
import { openSession, planInput, type Session, type SessionInputs } from '../run/session.ts';
import { benchInputs, type ModelName, modelTitle } from './models.ts';
import { syntheticBase } from './synthetic.ts';

/** What determines the plan of a session. */
interface SessionCall {
  /** Tokens of the longest row. */
  longest: number;
  /** Tokens of a step. */
  window: number;
  /** The precision of the steps. */
  precision: PrecisionChoice;
  /** Bytes that the session may take; by default what a run may. */
  memory: number | undefined;
  onProgress: (text: string) => void;
}

/** A session, the inputs that its plan was made for, and the notes from creating it. */
interface StepSession {
  session: Session;
  inputs: SessionInputs;
  notes: string[];
}

/**
 * A session with the plan that a run would have, on random weights, saving fewer activations if the device refuses
 * memory. Throws UserError if the device lacks the precision, or nothing fits.
 */
export async function openStepSession(gpu: Gpu, name: ModelName, call: SessionCall): Promise<StepSession> {
  const { longest, window, precision, memory, onProgress } = call;
  const inputs = benchInputs(name, longest, window);
  const notes: string[] = [];
  const emit = (event: RunEvent) => {
    if (event.type === 'note') {
      notes.push(event.text);
    }
    if (event.type === 'phase') {
      onProgress(`${modelTitle(name)}: ${event.phase}, ${event.done} of ${event.total}`);
    }
  };
  const plan = await newExecutionPlan(gpu, { ...inputs, windowTokens: window }, { memory, precision, emit });
  onProgress(`${modelTitle(name)}: making random weights`);
  const make = () => Promise.resolve(syntheticBase(gpu, inputs, planInput(inputs, plan).positions));
  const session = await openSession(gpu, inputs, plan, inputs.adapter.weights, emit, make);
  return { session, inputs, notes };
}

/** The layers' saved activations, as in "21 layers at level 3, 7 at 1". */
export function keptLayers({ keep = '' }: Pick<ExecutionPlan, 'keep'>): string {
  const levels = parseSaved(keep);
  return [3, 2, 1, 0]
    .map((level) => ({ level, count: levels.filter((l) => l === level).length }))
    .filter(({ count }) => count > 0)
    .map(({ level, count }, i) => `${i === 0 ? counted(count, 'layer') : count} at level ${level}`)
    .join(', ');
}

/** A plan's saved activations, and where it keeps the optimizer's state, as a sentence. */
export const keptNote = (plan: Pick<ExecutionPlan, 'keep' | 'optimizer'>): string =>
  `Kept for the backward pass: ${keptLayers(plan)}; the optimizer's state ${plan.optimizer === 'paged' ? 'is paged to the host' : 'lies on the device'}.`;

/** The meaning of the levels. */
export const LEVELS_NOTE =
  'Levels: 0 keeps the input of a layer, 1 also the output of attention, 2 also q, k and v, 3 also gate and up.';
