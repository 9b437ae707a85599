// Reference: transformers, src/transformers/trainer_callback.py (TrainerState).
import { Fields } from './fields.ts';
import { PythonFloat } from './json.ts';
import { writePythonJson } from './python-json.ts';

/** One entry of log_history, under transformers' keys; all but `step` are floats. */
export interface LogEntry {
  readonly step: number;
  /** Epochs done, including the fraction of the current one. */
  readonly epoch: number;
  /** Mean loss of the steps since the last entry. */
  readonly loss?: number;
  /** L2 norm of the gradient before clipping. */
  readonly grad_norm?: number;
  readonly learning_rate?: number;
  readonly eval_loss?: number;
  readonly [key: string]: number;
}

/** What transformers' EarlyStoppingCallback keeps in trainer_state.json. */
export interface EarlyStoppingState {
  /** Evaluations without improvement after which training ends. */
  readonly patience: number;
  /** By how much more than this a loss must be better to count as an improvement. */
  readonly threshold: number;
  /** Evaluations without improvement so far. */
  readonly counter: number;
}

/** transformers' trainer_state.json (5.18), under its own keys, without constant ones. */
export interface TrainerState {
  /** Optimizer steps done. */
  readonly global_step: number;
  readonly epoch: number;
  readonly max_steps: number;
  /** Rounded up. */
  readonly num_train_epochs: number;
  readonly train_batch_size: number;
  readonly eval_steps: number;
  readonly logging_steps: number;
  readonly save_steps: number;
  readonly best_metric: number | null;
  readonly best_global_step: number | null;
  readonly best_model_checkpoint: string | null;
  readonly log_history: readonly LogEntry[];
  readonly num_input_tokens_seen: number;
  readonly total_flos: number;
  /** Written, and not read: it follows from log_history. */
  readonly earlyStopping?: EarlyStoppingState;
}

const COUNT = { whole: true, min: 0 } as const;
const STEPS = { whole: true, min: 1 } as const;

/** The text of trainer_state.json as transformers saves it with a checkpoint. */
export function writeTrainerState({ earlyStopping, ...state }: TrainerState): string {
  const json = {
    ...state,
    epoch: new PythonFloat(state.epoch),
    best_metric: state.best_metric === null ? null : new PythonFloat(state.best_metric),
    total_flos: new PythonFloat(state.total_flos),
    log_history: state.log_history.map((entry) =>
      Object.fromEntries(
        Object.entries(entry).map(([key, value]) => [key, key === 'step' ? value : new PythonFloat(value)]),
      ),
    ),
    is_hyper_param_search: false,
    is_local_process_zero: true,
    is_world_process_zero: true,
    stateful_callbacks: {
      ...(earlyStopping && { EarlyStoppingCallback: callbackState(earlyStopping) }),
      TrainerControl: {
        args: {
          should_epoch_stop: false,
          should_evaluate: false,
          should_log: false,
          should_save: true,
          should_training_stop: state.global_step >= state.max_steps || stopsEarly(earlyStopping),
        },
        attributes: {},
      },
    },
    trial_name: null,
    trial_params: null,
  };
  return `${writePythonJson(json)}\n`;
}

/** Whether training ends before its last step. */
export const stopsEarly = (state: EarlyStoppingState | undefined): boolean =>
  state !== undefined && state.counter >= state.patience;

const callbackState = ({ patience, threshold, counter }: EarlyStoppingState) => ({
  args: {
    early_stopping_patience: patience,
    early_stopping_threshold: new PythonFloat(threshold),
  },
  attributes: { early_stopping_patience_counter: counter },
});

/** Reads a parsed trainer_state.json. Throws UserError naming the key. */
export function parseTrainerState(json: unknown, file: string): TrainerState {
  const fields = new Fields(file, json, '', 'take an earlier checkpoint');
  const optional = (key: string) => (fields.has(key) ? fields.number(key, {}) : null);
  return {
    global_step: fields.number('global_step', COUNT),
    epoch: fields.number('epoch', { min: 0 }),
    max_steps: fields.number('max_steps', COUNT),
    num_train_epochs: fields.number('num_train_epochs', COUNT),
    train_batch_size: fields.number('train_batch_size', STEPS),
    eval_steps: fields.number('eval_steps', STEPS),
    logging_steps: fields.number('logging_steps', STEPS),
    save_steps: fields.number('save_steps', STEPS),
    best_metric: optional('best_metric'),
    best_global_step: optional('best_global_step'),
    best_model_checkpoint: fields.has('best_model_checkpoint')
      ? fields.string('best_model_checkpoint')
      : null,
    log_history: readHistory(fields),
    num_input_tokens_seen: fields.number('num_input_tokens_seen', COUNT, 0),
    total_flos: fields.number('total_flos', { min: 0 }, 0),
  };
}

function readHistory(fields: Fields): LogEntry[] {
  const history = fields.values['log_history'];
  if (!Array.isArray(history)) {
    return fields.refuse('log_history', 'a list of entries');
  }
  return history.map((entry: unknown, i) => {
    const log = new Fields(fields.file, entry, `log_history[${i}].`, 'take an earlier checkpoint');
    const numbers = Object.keys(log.values).map((key) => [key, log.number(key, {})] as const);
    return {
      ...Object.fromEntries(numbers),
      step: log.number('step', COUNT),
      epoch: log.number('epoch', { min: 0 }),
    };
  });
}
