import { copyOutput, type Export, type OutputFile, piecesOutput, textOutput } from '../export/output-file.ts';
import { ADAPTER_METADATA, adapterTensors } from '../formats/adapter.ts';
import { writeAdapterConfig } from '../formats/adapter-config.ts';
import { recipeToYaml } from '../formats/recipe.ts';
import { writeSafetensors } from '../formats/safetensors-write.ts';
import { UserError } from '../formats/user-error.ts';
import { baseHash } from '../model/base/read/content-hash.ts';
import { differences, hashInputs, IDENTITY_NAMES, type RunIdentity } from '../run/checkpoint/identity.ts';
import type { RunEvent } from '../run/events.ts';
import { prepare, type Prepared } from '../run/input/prepare.ts';
import type { RunInputs } from '../run/input/run-inputs.ts';
import { plannedCard } from '../run/model-card.ts';
import type { Moment } from '../text/moment.ts';
import { trainingArguments } from './arguments.ts';
import { axolotlConfig } from './axolotl.ts';
import { fsdpQlora, oneGpu, severalGpus, skypilotTask, slurmScript } from './launchers.ts';
import { processesFor } from './processes.ts';
import { handoverReadme } from './readme.ts';
import REQUIREMENTS from './requirements.txt?raw';
import { tokenRows } from './token-rows.ts';
import TRAIN from './train.py?raw';

/** A run that is handed over: what it was started with. */
export interface HandedRun {
  /** For messages. */
  readonly name: string;
  readonly identity: RunIdentity;
  /** The date that its chat template wrote. */
  readonly moment: Moment | undefined;
}

export interface HandoverOptions {
  /** `source` is the adapter to start from: V1, or that of a checkpoint. */
  readonly inputs: RunInputs;
  /** What the adapter is called in the hand-over's README.md: "V1", "checkpoint-8". */
  readonly start: string;
  /** Processes that the files for several GPUs start; undefined: as many of eight as can share a step. */
  readonly gpus?: number | undefined;
  /** Its base, rows and recipe must be these. */
  readonly run?: HandedRun | undefined;
  /** SHA-256 of the base where it is known, so that it need not be read. */
  readonly baseHash?: string | undefined;
  readonly emit: (event: RunEvent) => void;
}

const TRAIN_ROWS = 'rows/train.parquet';
const VALIDATION_ROWS = 'rows/validation.parquet';
/** "Qwen/Qwen2.5-1.5B-Instruct": a name that huggingface_hub finds anywhere. */
const REPOSITORY = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/;

/**
 * Reads and checks all inputs of a run, and says what of it goes to a cluster: the rows as tokens and labels, the
 * recipe as a script of transformers and PEFT, and what starts it on one GPU or several. Throws UserError.
 */
export async function planHandover(options: HandoverOptions): Promise<Export> {
  const { inputs, gpus, run, emit } = options;
  const { recipe } = inputs;
  const { training } = recipe;
  if (training.packing) {
    throw new UserError(
      'training.packing is on, and packed sequences cannot be handed over; set it to false, which trains the same rows one by one.',
    );
  }
  const processes = processesFor(training.accumulationSteps, gpus);
  const notes: string[] = [];
  const hear = (event: RunEvent) => (event.type === 'note' ? notes.push(event.text) : emit(event));
  const prepared = await prepare(inputs, hear, run?.moment);
  const identity = await identityOf(prepared, options);
  if (run) {
    checkSameInputs(run, identity);
  }
  const { model, adapter, train, evalRows, longest } = prepared;
  const base =
    [adapter.config.baseModelName, recipe.model.name].find((name) => REPOSITORY.test(name ?? '')) ?? '';
  const validation = evalRows.length > 0 ? VALIDATION_ROWS : undefined;
  const prompt = train.chat ? 'chat' : 'text';
  const several =
    processes > 1
      ? [
          textOutput('accelerate/ddp.yaml', severalGpus(processes)),
          textOutput('accelerate/fsdp-qlora.yaml', fsdpQlora(processes, model.config.family)),
        ]
      : [];
  const settings = {
    base,
    double_quant: recipe.quantization.useDoubleQuant,
    train: TRAIN_ROWS,
    validation: validation ?? null,
    training_arguments: trainingArguments(recipe, validation !== undefined),
  };
  const files = [
    piecesOutput(TRAIN_ROWS, tokenRows(train.rows)),
    ...(validation === undefined ? [] : [piecesOutput(validation, tokenRows(evalRows))]),
    ...(await adapterOutput(prepared)),
    textOutput('accelerate/one-gpu.yaml', oneGpu()),
    ...several,
    textOutput(
      'axolotl.yaml',
      axolotlConfig({
        recipe,
        config: adapter.config,
        base: base || './base',
        train: TRAIN_ROWS,
        validation,
        longest,
      }),
    ),
    textOutput('slurm.sh', slurmScript(processes)),
    textOutput('skypilot.yaml', skypilotTask(processes)),
    textOutput('requirements.txt', REQUIREMENTS),
    textOutput('training_config.yaml', recipeToYaml(recipe)),
    textOutput(
      'card.md',
      plannedCard(prepared, { identity, prompt }, 'by transformers and PEFT, as Retune handed it over'),
    ),
    textOutput('handover.json', `${JSON.stringify(settings, null, 2)}\n`),
    textOutput('README.md', handoverReadme(prepared, { base, processes, start: options.start })),
    // Last: without it, nothing can be started.
    textOutput('train.py', TRAIN),
  ];
  return { files, notes };
}

async function identityOf(
  { model, inputs, train, evalRows, columns }: Prepared,
  { baseHash: known, emit }: HandoverOptions,
): Promise<RunIdentity> {
  const hashes = await hashInputs({ ...inputs, rows: train.rows, evalRows, columns });
  const base =
    known ??
    (await baseHash(model, (done, total) =>
      emit({ type: 'phase', phase: 'hashing', done, total, unit: 'bytes' }),
    ));
  return { base, ...hashes };
}

/** Throws UserError if a run was started with others; it may go on from another adapter. */
function checkSameInputs({ name, identity: began }: HandedRun, identity: RunIdentity): void {
  const changed = differences(began, { ...identity, source: began.source });
  if (changed.length > 0) {
    const what = changed.map((part) => IDENTITY_NAMES[part]).join(', ');
    throw new UserError(
      `${name}: these are not the files that the run was started with (changed: ${what}); name those, or hand over --config instead of --run.`,
    );
  }
}

/** V1's own files, byte for byte, or a fresh adapter's. */
async function adapterOutput({ inputs, adapter }: Prepared): Promise<OutputFile[]> {
  const [weights, config] = ['adapter_model.safetensors', 'adapter_config.json'] as const;
  if (!inputs.source) {
    return [
      piecesOutput(
        `adapter/${weights}`,
        writeSafetensors(adapterTensors(adapter.weights), ADAPTER_METADATA) as Uint8Array<ArrayBuffer>[],
      ),
      textOutput(`adapter/${config}`, writeAdapterConfig(adapter.config)),
    ];
  }
  const outputs: OutputFile[] = [];
  for (const name of [weights, config]) {
    const file = await inputs.source.open(name);
    if (file) {
      outputs.push(copyOutput(`adapter/${name}`, file));
    }
  }
  return outputs;
}
