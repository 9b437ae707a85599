import { baseHash } from '../model/base/read/content-hash.ts';
import type { Checkpoint } from './checkpoint/checkpoint.ts';
import { hashInputs, Identification } from './checkpoint/identity.ts';
import {
  checkSameRun,
  earlierMoment,
  finishedIdentity,
  finishedStep,
  latestCheckpoint,
  latestWeights,
  refuseForeignAdapter,
  type Start,
} from './checkpoint/resume.ts';
import { readSourceRecord } from './checkpoint/source-record.ts';
import { advise } from './checks/advise.ts';
import { advisoryText } from './checks/advisory.ts';
import { TrainedRows } from './checks/trained-rows.ts';
import { checkPlan, checkReading, readsAsStored } from './choose-kernels.ts';
import type { Phase } from './events.ts';
import { prepare, type Prepared } from './input/prepare.ts';
import type { FinetuneOptions, FinetuneResult } from './options.ts';
import { type ExecutionPlan, openPlannedKernels } from './plan/execution-plan.ts';
import { newExecutionPlan } from './plan/new-execution-plan.ts';
import { Run } from './run.ts';
import { withMemory } from './session.ts';

/** Phases in which there is nothing to save yet. */
const BEFORE_TRAINING: ReadonlySet<Phase> = new Set([
  'opening files',
  'tokenizing',
  'hashing',
  'loading the base',
  'caching the base',
  'measuring memory',
  'timing kernels',
  'compiling kernels',
]);

/**
 * Continues an adapter on new rows, from the store's last sound checkpoint. Throws UserError. If stopped before
 * training begins, rejects with the signal's reason and writes nothing.
 */
export async function finetune(given: FinetuneOptions): Promise<FinetuneResult> {
  const call = { ...given, emit: stoppable(given) };
  const { store, emit } = call;
  const { inputs } = call;
  // A resumed run writes the date of its start: another date would change its rows' tokens.
  const moment = (call.resume === 'exact' ? await earlierMoment(store) : undefined) ?? call.moment;
  const opened = await prepare(inputs, emit, moment);
  const { model, train, evalRows, columns, maxSteps } = opened;
  const cache = await call.baseCache?.slot(model, inputs.recipe.quantization.useDoubleQuant);
  const prepared = { ...opened, cache };
  const hashes = await hashInputs({ ...inputs, rows: train.rows, evalRows, columns });
  const identification = new Identification(hashes, (identity) => call.onIdentity?.(identity, maxSteps));
  const finished = call.resume === 'exact' ? await finishedIdentity(store) : undefined;
  if (finished) {
    checkSameRun(store, finished, identification.besides(finished), 'finished');
  }
  if (cache?.content !== undefined) {
    await identification.baseIs(cache.content);
  } else if (finished) {
    // Nothing is loaded for a finished run.
    const base = await baseHash(model, (done, total) =>
      emit({ type: 'phase', phase: 'hashing', done, total, unit: 'bytes' }),
    );
    await cache?.identified(base);
    await identification.baseIs(base);
  } else {
    // The base is hashed while it is loaded.
    await call.onInputs?.(hashes, maxSteps);
  }
  const note = (text: string) => emit({ type: 'note', text });
  const finishedAt = finished ? await finishedStep(store, identification.identity, note) : undefined;
  if (finishedAt !== undefined) {
    return { status: 'already finished', step: finishedAt, maxSteps };
  }
  const start = await startingPoint(call, prepared, identification);
  if (!start.checkpoint) {
    for (const advisory of await advise(prepared)) {
      emit({ type: 'advisory', text: advisoryText(advisory) });
    }
  }
  const gpu = await call.openGpu();
  const earlier = start.checkpoint?.cursor.plan;
  if (earlier) {
    openPlannedKernels(gpu, earlier);
  }
  if (earlier) {
    checkReading(store, earlier, model);
  }
  const plan = earlier
    ? withMemory(earlier, gpu, prepared, call.memory)
    : { ...(await newExecutionPlan(gpu, prepared, call)), ...ofInputs(prepared) };
  if (plan.device !== gpu.name) {
    emit({
      type: 'note',
      text: `The run began on ${plan.device} and resumes on ${gpu.name}: its last bits may differ from those of an uninterrupted run.`,
    });
  }
  return new Run({ ...call, prepared, identification, gpu, plan, start }).go();
}

/** What a new run's plan records of how its inputs were read. */
const ofInputs = ({
  model,
  heldBack,
  moment,
}: Prepared): Pick<ExecutionPlan, 'asStored' | 'heldBack' | 'moment'> => ({
  ...(readsAsStored(model) && { asStored: true }),
  ...(heldBack && { heldBack }),
  ...(moment !== undefined && { moment }),
});

/** `emit`, which also ends the phases before training once the signal is given. */
function stoppable({ emit, signal }: FinetuneOptions): FinetuneOptions['emit'] {
  return (event) => {
    emit(event);
    if (event.type === 'phase' && BEFORE_TRAINING.has(event.phase)) {
      signal?.throwIfAborted();
    }
  };
}

async function startingPoint(
  { store, resume, precision, emit }: FinetuneOptions,
  { inputs, model, adapter, train }: Prepared,
  identification: Identification,
): Promise<Start> {
  const source = await readSourceRecord(inputs.source);
  const trainedRows = (earlier = source?.trainedRows) => TrainedRows.of(train.rows, earlier).text;
  const fresh = {
    weights: adapter.weights,
    checkpoint: undefined,
    weightsFrom: undefined,
    trainedRows: trainedRows(),
  };
  if (resume === 'never') {
    return fresh;
  }
  const note = (text: string) => emit({ type: 'note', text });
  if (resume === 'weights') {
    const { name, ...latest } = await latestWeights(store, model.config, note);
    const { weights } = latest;
    return {
      weights,
      checkpoint: undefined,
      weightsFrom: name,
      trainedRows: trainedRows(latest.trainedRows),
    };
  }
  const checkpoint: Checkpoint | undefined = await latestCheckpoint(store, model.config, note);
  if (!checkpoint) {
    await refuseForeignAdapter(store);
    return fresh;
  }
  const { identity } = checkpoint.cursor;
  checkSameRun(store, identity, identification.besides(identity), 'unfinished');
  checkPlan(store, checkpoint.cursor.plan, precision);
  const { weightsFrom, trainedRows: known = trainedRows() } = checkpoint.cursor;
  return { weights: checkpoint.adapter, checkpoint, weightsFrom, trainedRows: known };
}
