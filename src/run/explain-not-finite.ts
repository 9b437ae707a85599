import { UserError } from '../formats/user-error.ts';
import type { NotFiniteError } from '../train/step.ts';
import type { Prepared } from './input/prepare.ts';
import type { FinetuneOptions } from './options.ts';
import type { ExecutionPlan } from './plan/execution-plan.ts';

/** What a user can do about a loss or gradient that is not finite. `savedFormat`: that of the run's plan. */
export async function explainNotFinite(
  error: NotFiniteError,
  { train, inputs }: Prepared,
  store: FinetuneOptions['store'],
  savedFormat: ExecutionPlan['savedFormat'],
): Promise<UserError> {
  const lines = error.rows.map((row) => train.rows[row]!.line);
  const where = lines.length === 1 ? `line ${lines[0]}` : `lines ${lines.join(', ')}`;
  const good = (await store.checkpoints()).at(-1);
  const checkpoint =
    good === undefined ? 'there is no checkpoint yet' : `the last good one is ${store.checkpointName(good)}`;
  // The first step's loss comes from the inputs alone, before any update.
  const remedy =
    error.step > 1
      ? 'lower training.learning_rate or look at those rows'
      : `look at those rows, or take another copy of ${inputs.source ? 'the source adapter or of ' : ''}the base, whose values may be broken`;
  // Past the range of f16 they count as infinite.
  const inHalves = savedFormat
    ? ', or choose precision f32, which has no bound of 65,504 for gate and up'
    : '';
  return new UserError(
    `Step ${error.step}: the ${error.what} is not finite (${inputs.train.name}, ${where}); ${checkpoint}; ${remedy}${inHalves}, then start again.`,
  );
}
