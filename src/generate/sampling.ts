// References: transformers, src/transformers/generation/logits_process.py (RepetitionPenaltyLogitsProcessor,
// TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper); A. Holtzman et al., arXiv:1904.09751 (top-p).
import { quote } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';
import { descending, range } from './descending.ts';

/** How the next token is chosen, as in transformers' `generate`. */
export interface Sampling {
  /** Divides the logits; 0 is greedy: always the most likely token. */
  temperature: number;
  /** Keeps the most likely tokens up to this total probability, at least one; 1 keeps all. */
  topP: number;
  /** Keeps the k most likely tokens, and ties with the last of them; 0 keeps all. */
  topK: number;
  /** Divides positive logits, and multiplies negative ones, of tokens that occurred before; 1 changes nothing. */
  repetitionPenalty: number;
}

export const GREEDY: Sampling = { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1 };

/** The sampling of the recipe's batch test. */
export const RECIPE_SAMPLING: Sampling = { ...GREEDY, temperature: 0.7, topP: 0.9 };

/** Throws UserError if a value is out of range. */
export function checkSampling({ temperature, topP, topK, repetitionPenalty }: Sampling): void {
  const check = (fine: boolean, key: string, value: number, expected: string): void => {
    if (fine) {
      return;
    }
    throw new UserError(`${key} is ${quote(value)}, expected ${expected}; correct it.`);
  };
  check(temperature >= 0 && temperature < Infinity, 'temperature', temperature, 'a number of at least 0');
  check(topP > 0 && topP <= 1, 'top_p', topP, 'a number above 0 and at most 1');
  check(Number.isInteger(topK) && topK >= 0, 'top_k', topK, 'a whole number of at least 0');
  const penalty = repetitionPenalty > 0 && repetitionPenalty < Infinity;
  check(penalty, 'repetition_penalty', repetitionPenalty, 'a number above 0');
}

/** Possible next tokens and their weights: unnormalized probabilities. */
interface Candidates {
  ids: ArrayLike<number>;
  weights: Float64Array;
}

/**
 * Picks the next token from `logits` [vocab]. `previous` is the prompt and everything generated so far, for the
 * repetition penalty, which is applied to `logits` in place.
 */
export function sampleToken(
  logits: Float32Array,
  sampling: Sampling,
  previous: Iterable<number>,
  random: { uniform(): number },
): number {
  penalize(logits, sampling.repetitionPenalty, previous);
  if (sampling.temperature === 0) {
    return largest(logits);
  }
  const { ids, weights } = tokenCandidates(logits, sampling);
  let rest = random.uniform() * sum(weights);
  // Rounding may leave a remainder beyond the last weight; then the last token with any weight is picked.
  let picked = 0;
  for (let i = 0; i < weights.length && rest >= 0; i++) {
    if (weights[i] === 0) {
      continue;
    }
    picked = i;
    rest -= weights[i]!;
  }
  return ids[picked]!;
}

/** Applies the repetition penalty in place; each token counts once, however often it occurred. */
export function penalize(logits: Float32Array, penalty: number, previous: Iterable<number>): void {
  if (penalty === 1) {
    return;
  }
  for (const id of new Set(previous)) {
    logits[id] = logits[id]! < 0 ? logits[id]! * penalty : logits[id]! / penalty;
  }
}

/** The candidates after temperature (above 0), then top_k, then top_p: transformers' order. */
export function tokenCandidates(logits: Float32Array, { temperature, topP, topK }: Sampling): Candidates {
  const highest = logits[largest(logits)]!;
  const weight = (id: number): number => Math.exp((logits[id]! - highest) / temperature);
  const limited = topK > 0 && topK < logits.length ? mostLikely(logits, topK) : undefined;
  const all = weighed(limited ?? range(logits.length), weight);
  if (topP >= 1) {
    return all;
  }
  return weighed(nucleus(limited ?? descending(logits), weight, topP * sum(all.weights)), weight);
}

function weighed(ids: ArrayLike<number>, weight: (id: number) => number): Candidates {
  // A loop, because the typed arrays' `from` takes ten times as long over a vocabulary.
  const weights = new Float64Array(ids.length);
  for (let i = 0; i < ids.length; i++) {
    weights[i] = weight(ids[i]!);
  }
  return { ids, weights };
}

/** The k largest logits and ties with the last of them, largest first. */
function mostLikely(logits: Float32Array, k: number): number[] {
  const ids: number[] = [];
  for (const id of descending(logits)) {
    if (ids.length >= k && logits[id]! < logits[ids.at(-1)!]!) {
      break;
    }
    ids.push(id);
  }
  return ids;
}

/** The first ids whose weights add up to `mass`, which is above 0. */
function nucleus(ids: Iterable<number>, weight: (id: number) => number, mass: number): number[] {
  const kept: number[] = [];
  let reached = 0;
  for (const id of ids) {
    kept.push(id);
    reached += weight(id);
    if (reached >= mass) {
      break;
    }
  }
  return kept;
}

function largest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) {
    if (values[i]! > values[best]!) {
      best = i;
    }
  }
  return best;
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) {
    total += value;
  }
  return total;
}
