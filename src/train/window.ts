import { randperm } from './sampler.ts';
import { type Grouping, stepsPerEpoch } from './schedule.ts';

/** The rows of one optimizer step. */
export interface StepWindow {
  /** Epoch, from 0. */
  epoch: number;
  /** Dataset row indices by micro-batch, in the order of transformers' dataloader. */
  rows: number[][];
}

/**
 * The rows of step k (from 1). Epoch e visits the rows in the order randperm(rows, seed + e); its last step takes
 * the remainder. A fractional last epoch stops at the run's last step.
 */
export function stepWindows(grouping: Grouping, seed: number): (step: number) => StepWindow {
  const { rows, batch, accumulation } = grouping;
  const perEpoch = stepsPerEpoch(grouping);
  let order: { epoch: number; rows: Uint32Array } | undefined;
  return (step) => {
    const epoch = Math.floor((step - 1) / perEpoch);
    if (order?.epoch !== epoch) {
      order = { epoch, rows: randperm(rows, seed + epoch) };
    }
    const begin = (step - 1 - epoch * perEpoch) * accumulation * batch;
    const end = Math.min(rows, begin + accumulation * batch);
    const microBatches: number[][] = [];
    for (let at = begin; at < end; at += batch) {
      microBatches.push([...order.rows.subarray(at, Math.min(end, at + batch))]);
    }
    return { epoch, rows: microBatches };
  };
}
