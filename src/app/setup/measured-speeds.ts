import { isRecord } from '../../formats/fields.ts';
import type { SpeedConditions } from '../../run/training-speed.ts';

/** A training speed as measured, and what it was measured with. */
export interface MeasuredSpeed {
  conditions: SpeedConditions;
  tokensPerSecond: number;
  /** Milliseconds since 1970. */
  time: number;
}

/** Under this name the browser keeps them. */
const KEPT = 'retune-measured';
/** As many are kept, the latest first: who changes something and changes it back does not measure again. */
const MAX_KEPT = 8;
/** Numbers of tokens by no more than this factor apart count as the same: the speed differs by less. */
const TOLERANCE = 1.1;
/** Longer texts say nothing to a reader. */
const MAX_SHOWN = 40;

/** What was measured in this browser, the latest first, as far as it kept that. */
export function measuredSpeeds(): readonly MeasuredSpeed[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEPT) ?? '[]');
    return Array.isArray(kept) ? kept.filter(isMeasured) : [];
  } catch {
    // Where site data is blocked, even asking for localStorage throws.
    return [];
  }
}

/** Keeps what was measured in the place of all that held for the same. */
export function keepMeasured(speeds: readonly MeasuredSpeed[], latest: MeasuredSpeed): MeasuredSpeed[] {
  const others = speeds.filter(({ conditions }) => difference(conditions, latest.conditions) !== undefined);
  const kept = [latest, ...others].slice(0, MAX_KEPT);
  try {
    localStorage.setItem(KEPT, JSON.stringify(kept));
  } catch {
    // It holds until the page is closed.
  }
  return kept;
}

/** The one that holds for these conditions, or why the latest does not. */
export function speedFor(
  speeds: readonly MeasuredSpeed[],
  now: SpeedConditions,
): { speed?: MeasuredSpeed; outdated?: string } {
  const speed = speeds.find(({ conditions }) => difference(conditions, now) === undefined);
  if (speed) {
    return { speed };
  }
  return speeds[0] ? { outdated: `Measured with ${difference(speeds[0].conditions, now)!}` } : {};
}

/** The first thing in which the two differ, as the end of a sentence; undefined where a speed holds for both. */
export function difference(before: SpeedConditions, now: SpeedConditions): string | undefined {
  const names = new Set([...Object.keys(now), ...Object.keys(before)]);
  const name = [...names].find((one) => !alike(before[one], now[one]));
  if (name === undefined) {
    return undefined;
  }
  const [was, is] = [shown(before[name]), shown(now[name])];
  if (was === is || Math.max(was.length, is.length) > MAX_SHOWN) {
    return `another ${name}.`;
  }
  return typeof now[name] === 'number' ? `${was} ${name}; now ${is}.` : `${name} ${was}; now ${is}.`;
}

function alike(before: string | number | undefined, now: string | number | undefined): boolean {
  if (typeof before === 'number' && typeof now === 'number') {
    return Math.max(before, now) <= TOLERANCE * Math.min(before, now);
  }
  return before === now;
}

const shown = (value: string | number = 'none'): string =>
  typeof value === 'number' ? Math.round(value).toLocaleString('en-US') : value;

/** Another version may have kept something else. */
function isMeasured(value: unknown): value is MeasuredSpeed {
  if (!isRecord(value) || !isRecord(value.conditions)) {
    return false;
  }
  const { conditions, tokensPerSecond, time } = value;
  return (
    typeof time === 'number' &&
    typeof tokensPerSecond === 'number' &&
    tokensPerSecond > 0 &&
    Object.values(conditions).every((one) => typeof one === 'string' || typeof one === 'number')
  );
}
