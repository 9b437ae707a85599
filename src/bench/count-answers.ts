import { CachedDecoder } from '../generate/cached-decoder.ts';
import { openNullGpu } from '../gpu/null-device.ts';
import { keyWidth } from '../model/allocations.ts';
import { drySession } from '../run/plan/dry-run.ts';
import { newExecutionPlanOf } from '../run/plan/execution-plan.ts';
import type { SessionInputs } from '../run/session.ts';
import { counting } from './counts.ts';
import { benchInputs, type ModelName, modelTitle } from './models.ts';
import type { ReportSection } from './report.ts';

/** Tokens of question and answer together. */
const CAPACITY = 128;
/** Answers side by side. */
const SEQUENCES = [1, 8];

/** One new token of each of some answers. */
interface TokenCounts {
  dispatches: number;
  /** Bytes that the kernels move. */
  bytes: number;
  /** Bytes of keys and values among them. */
  caches: number;
  /** Bytes of the base's weights, as the device holds them, and of the adapter's. */
  weights: number;
}

/** Counts one greedy token of each of `sequences` answers by a dry run; their caches count as full. */
export async function countToken(inputs: SessionInputs, sequences: number): Promise<TokenCounts> {
  const { stream, lora, runner } = drySession(inputs, newExecutionPlanOf(openNullGpu(), CAPACITY));
  const held = stream.gpu.memory.byKind();
  const rank = Math.max(...inputs.adapter.weights.map(({ module }) => module.r));
  const decoder = new CachedDecoder(stream, runner.engine.base, { sequences, capacity: CAPACITY, rank });
  const { kernels, listener } = counting();
  const before = stream.counts.dispatches;
  stream.listener = listener;
  const running = Array.from({ length: sequences }, (_, i) => ({
    prompt: [0],
    ids: [0],
    firstSlot: i * CAPACITY,
  }));
  await decoder.decode(running, lora);
  await decoder.largest(sequences);
  const kinds = ['base weights', 'base scales', 'embedding', 'LoRA weights'] as const;
  return {
    dispatches: stream.counts.dispatches - before,
    caches: 8 * sequences * CAPACITY * keyWidth(inputs.model.config) * inputs.model.config.layers,
    bytes: [...kernels.values()].reduce((sum, { bytes }) => sum + bytes, 0),
    weights: kinds.reduce((sum, kind) => sum + held.get(kind)!, 0),
  };
}

/** What a token of an answer moves, with WebGPU's guaranteed limits. */
export async function countAnswers(name: ModelName): Promise<ReportSection> {
  const inputs = benchInputs(name, CAPACITY, CAPACITY);
  const rows = [];
  for (const sequences of SEQUENCES) {
    const { dispatches, bytes, caches, weights } = await countToken(inputs, sequences);
    rows.push([
      `${sequences} at once`,
      dispatches,
      weights / 1e9,
      caches / 1e9,
      bytes / 1e9,
      (bytes - caches) / weights,
      bytes / sequences / 1e9,
    ]);
  }
  return {
    name: 'answers',
    title: `One token more of answers of ${modelTitle(name)} with its adapter, counted`,
    columns: [
      '',
      'dispatches',
      'GB of weights',
      'GB of caches',
      'GB moved',
      'but caches, of weights',
      'GB a token',
    ],
    rows,
    notes: [
      `Weights: of the base, whose table serves as head, and of the adapter. Moved: by each kernel, once, with caches of ${CAPACITY} tokens that are full.`,
    ],
  };
}
