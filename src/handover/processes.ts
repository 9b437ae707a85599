import { UserError } from '../formats/user-error.ts';

/** As many GPUs as one machine of a cluster usually has. */
const USUAL = 8;

/** Numbers of processes that can share a step's micro-batches evenly: the divisors of their number, ascending. */
const fittingProcesses = (accumulation: number): number[] =>
  Array.from({ length: accumulation }, (_, i) => i + 1).filter((n) => accumulation % n === 0);

/**
 * How many processes the files for several GPUs start: as asked, or as many of eight as share a step evenly. Throws
 * UserError if a step's rows could not stay the same.
 */
export function processesFor(accumulation: number, asked: number | undefined): number {
  const fitting = fittingProcesses(accumulation);
  if (asked === undefined) {
    return fitting.findLast((n) => n <= USUAL)!;
  }
  if (!fitting.includes(asked)) {
    throw new UserError(
      `training.gradient_accumulation_steps is ${accumulation}, which ${asked} GPUs cannot share without changing the rows of a step; choose one of these numbers of GPUs: ${fitting.join(', ')}.`,
    );
  }
  return asked;
}
