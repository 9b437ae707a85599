import type {
  Answer,
  ChosenFolder,
  ChosenInputs,
  Elsewhere,
  EngineApi,
  GivenInputs,
  RunOutcome,
  RunRecord,
} from '../../src/engine/protocol/protocol.ts';
import { defaultRecipe, parseRecipe, recipeToYaml } from '../../src/formats/recipe.ts';
import { UserError } from '../../src/formats/user-error.ts';
import type { RunEvent } from '../../src/run/events.ts';
import { withSample } from '../../src/run/samples/film.ts';
import { fakeChat } from './fake-chat.ts';
import { fakeCorrections, fakeTrays } from './fake-corrections.ts';
import { fakeExports } from './fake-exports.ts';
import { fakeRows } from './fake-rows.ts';
import { fakeTests, type TestScenario } from './fake-tests.ts';

/** The page's scenario, given in the address of the test's page. */
export interface Scenario {
  device: 'gpu' | 'software' | 'none';
  steps: number;
  /** Milliseconds between two steps. */
  pace: number;
  /** Whether an unfinished run exists at the start: of chosen files, or a later one of the demo. */
  unfinished: 'chosen' | 'demo' | undefined;
  /** Whether the last step is worse than those before. */
  overfits: boolean;
  /** The step at which the run fails. */
  failsAt: number;
  /** Holds before this step until released. */
  holdAt: number;
  /** How often the unfinished run has resumed automatically. */
  restarts: number;
  /** Whether it has stored the handles of its files. */
  handles: boolean;
  /** The text of every run's rows; undefined where the browser has none of them. */
  rows: string | undefined;
  /** Whether the browser asks before it lets them be read; the event `permission` answers with its detail. */
  asks: boolean;
  /** Whether the cache holds the base of the folder that the stubbed picker gives. */
  keptBase: boolean;
  /** Whether measuring the speed takes until it is canceled. */
  holdSpeed: boolean;
  /** Whether the first measurement of an export's losses takes until it is canceled. */
  holdLosses: boolean;
  /** What another tab does until the event `elsewhere-ends`. */
  elsewhere: Elsewhere['doing'] | undefined;
}

export function scenarioOf(search: URLSearchParams): Scenario {
  const number = (key: string, fallback: number) => Number(search.get(key) ?? fallback);
  return {
    device: (search.get('device') ?? 'gpu') as Scenario['device'],
    steps: number('steps', 60),
    pace: number('pace', 5),
    overfits: search.has('overfits'),
    unfinished: search.has('unfinished')
      ? search.get('unfinished') === 'demo'
        ? 'demo'
        : 'chosen'
      : undefined,
    failsAt: number('failsAt', Infinity),
    holdAt: number('holdAt', Infinity),
    restarts: number('restarts', 0),
    handles: search.has('handles'),
    rows: search.get('rows') ?? undefined,
    asks: search.has('asks'),
    keptBase: search.has('keptBase'),
    holdSpeed: search.has('holdSpeed'),
    holdLosses: search.has('holdLosses'),
    elsewhere: (search.get('elsewhere') ?? undefined) as Scenario['elsewhere'],
  };
}

const MIB = 2 ** 20;
const ok = <T>(value: T): Answer<T> => ({ ok: true, value });
const no = (sentence: string): Answer<never> => ({ ok: false, sentence });
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** An engine that computes nothing, for tests of the page: it reads names, counts lines and draws a falling loss. */
export function fakeEngine(scenario: Scenario, testing: TestScenario): EngineApi {
  const runs = new Map<string, RunRecord>();
  const trays = fakeTrays();
  const started = new Map<string, GivenInputs>();
  const has = (folder: ChosenFolder, name: string) => folder.files.some((file) => file.name === name);
  let paused = false;
  let stopping = false;
  let saving = false;
  let elsewhere: Elsewhere | undefined = scenario.elsewhere && {
    id: 'there',
    name: 'v1 + other.jsonl',
    doing: scenario.elsewhere,
  };
  const elsewhereEnded = new Promise<void>((resolve) => {
    addEventListener('elsewhere-ends', () => {
      elsewhere = undefined;
      resolve();
    });
  });
  if (scenario.unfinished) {
    const record = newRecord('earlier', { steps: scenario.steps, recipe: defaultRecipe() });
    const log = Array.from({ length: 20 }, (_, i) => entryOf(i + 1, scenario.steps));
    const checkpoints = [{ step: 20, bytes: 213 * MIB, loss: 1.71 }];
    const { restarts } = scenario;
    const stopped = restarts === 0;
    const handle = (name: string) => (scenario.asks ? askedHandle(name) : {}) as AnyHandle;
    const handles = scenario.handles
      ? { base: handle('base'), source: handle('v1'), train: handle('train.jsonl') }
      : {};
    const demo = {
      inputs: { base: 'demo/base', source: 'V2', train: 'train.jsonl', validation: undefined },
      sourceRun: 'second',
      lacks: ['base'],
      stopped: false,
    } as const;
    runs.set(record.id, {
      ...record,
      ...{ step: 20, stopped, restarts, handles, log, checkpoints },
      lacks: ['base', 'source', 'train'],
      ...(scenario.unfinished === 'demo' ? demo : {}),
    });
  }

  async function train(
    record: RunRecord,
    onEvent: (event: RunEvent) => void,
  ): Promise<RunOutcome & { id: string }> {
    const { steps, pace, failsAt, holdAt } = scenario;
    paused = stopping = saving = false;
    const keep = (patch: Partial<RunRecord>) => runs.set(record.id, { ...runs.get(record.id)!, ...patch });
    runs.set(record.id, record);
    const save = (step: number) => {
      const loss = lossAt(step, steps);
      keep({
        step,
        checkpoints: [...runs.get(record.id)!.checkpoints, { step, bytes: 213 * MIB, loss }].slice(-2),
      });
      onEvent({ type: 'checkpoint', step, bytes: 213 * MIB });
    };
    const phases = [
      ['opening files', 5, 'files'],
      ['hashing', 3087 * MIB, 'bytes'],
      ['tokenizing', 480, 'rows'],
      ['loading the base', 3087 * MIB, 'bytes'],
    ] as const;
    for (const [phase, total, unit] of phases) {
      for (const share of [0.1, 0.45, 0.8]) {
        onEvent({ type: 'phase', phase, done: Math.round(share * total), total, unit });
        await sleep(pace);
        while (holdAt === 0) {
          await sleep(20);
        }
      }
    }
    onEvent({
      type: 'facts',
      facts: {
        gpu: 'NVIDIA GeForce RTX 4060 Laptop GPU',
        software: false,
        rows: 480,
        skippedRows: 0,
        tokens: 118_204,
        trainedTokens: 118_204,
        longest: 611,
        cut: 0,
        evalRows: 60,
        maxSteps: steps,
        resumedStep: record.step,
        gpuBytes: 2090 * MIB,
      },
    });
    const { samplePrompts = [] } = record.recipe.training;
    const answer = (step: number) => {
      for (const [i, prompt] of samplePrompts.entries()) {
        const text = `After <b>${step}</b> steps${step > 0 ? ', better' : ''}: ${'word '.repeat(20)}`;
        const event = { prompt, answer: { step, prompt: i, text } };
        onEvent({
          type: 'phase',
          phase: 'answering sample prompts',
          done: i + 1,
          total: samplePrompts.length,
          unit: 'prompts',
        });
        keep({ samples: withSample(runs.get(record.id)!.samples, event) });
        onEvent({ type: 'sample', ...event });
      }
    };
    if (record.step === 0) {
      onEvent({ type: 'baseline', evalLoss: lossAt(1, steps) + 0.2 });
      answer(0);
    }
    for (let step = record.step + 1; step <= steps; step++) {
      while (paused || step > holdAt) {
        await sleep(20);
        if (stopping) {
          break;
        }
      }
      if (stopping) {
        save(step - 1);
        keep({ stopped: true });
        return { id: record.id, status: 'stopped', step: step - 1, maxSteps: steps };
      }
      if (step === failsAt) {
        throw new UserError(
          `Step ${step}: the loss is not a number, first at line 31 of train.jsonl; lower training.learning_rate, and go on from checkpoint ${step - 1}.`,
        );
      }
      await sleep(pace);
      const progress = {
        step,
        maxSteps: steps,
        epoch: (2 * step) / steps,
        loss: lossAt(step, steps),
        gradNorm: entryOf(step, steps).grad_norm,
        learningRate: entryOf(step, steps).learning_rate,
        tokens: 3940,
        tokensPerSecond: 1843 + 40 * Math.sin(step),
        secondsLeft: (steps - step) * 2.14,
      };
      onEvent({ type: 'step', progress });
      if (step % 10 === 0) {
        const entry = entryOf(step, steps);
        keep({ log: [...runs.get(record.id)!.log, entry], step });
        onEvent({ type: 'log', entry });
        const worse = scenario.overfits && step === steps ? 0.9 : 0.11;
        const evalLoss = lossAt(step, steps) + worse;
        onEvent({ type: 'log', entry: { step, epoch: entry.epoch, eval_loss: evalLoss } });
        answer(step);
      }
      if (step % 20 === 0 || saving) {
        save(step);
      }
      saving = false;
    }
    keep({ status: 'finished', step: steps, stopped: false });
    return { id: record.id, status: 'finished', step: steps, maxSteps: steps };
  }

  return {
    ...fakeTests(testing, runs, trays),
    ...fakeRows(),
    ...fakeCorrections(trays, runs, scenario.rows),
    device: async () => {
      if (scenario.device === 'none') {
        return no(
          'Chrome found no GPU that it may use; update the graphics driver and look at chrome://gpu for the reason.',
        );
      }
      const software = scenario.device === 'software';
      const name = software ? 'Google SwiftShader' : 'NVIDIA GeForce RTX 4060 Laptop GPU';
      return ok({ name, software, maxBufferBytes: 2048 * MIB, bindingBytes: 1024 * MIB, key: 'fake' });
    },
    diagnose: async () =>
      ok([
        { what: 'browser', found: 'Google Chrome 156' },
        { what: 'GPU', found: 'NVIDIA GeForce RTX 4060 Laptop GPU' },
        {
          what: 'precision f16',
          found: 'does not run: the device offers no shader-f16',
          remedies: [
            'update the NVIDIA driver to 615.71 or newer, or start Chrome with --enable-dawn-features=vulkan_enable_f16_on_nvidia',
            'close every window of Chrome first\u202e',
          ],
        },
      ]),
    responds: async () => true,
    restart: () => undefined,
    inspectBase: async (base) =>
      base.run !== undefined || has(base, 'config.json')
        ? ok({
            name: base.name,
            family: 'qwen2',
            parameters: 1_543_714_304,
            layers: 28,
            dtype: 'BF16',
            kept: 0,
            bytes: 3087 * MIB,
            notes: [],
          })
        : no(
            `${base.name}: config.json is missing, expected a model folder; choose the folder with config.json in it.`,
          ),
    inspectAdapter: async (_, adapter) =>
      has(adapter, 'adapter_config.json')
        ? ok({
            name: adapter.name,
            r: 32,
            alpha: 64,
            dropout: 0.05,
            modules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
            baseModelName: 'Qwen/Qwen2.5-1.5B-Instruct',
            parameters: 36_929_536,
          })
        : no(
            `${adapter.name}: adapter_config.json is missing, expected a PEFT adapter folder; choose the folder that PEFT saved.`,
          ),
    columnNames: async () => ok([]),
    openAdapterZip: async ({ name }) =>
      name.endsWith('.zip') ? ok({ name, files: [] }) : no(`${name}: this is not a zip file; choose a zip.`),
    inspectRows: async (_, { file }, { maxLength }) => {
      const lines = (await file.text()).split('\n').filter(Boolean);
      try {
        const preview = lines.slice(0, 3).map((text, i) => {
          const row = String((JSON.parse(text) as { text?: string }).text ?? text);
          const cut = row.indexOf('### Response:');
          const pieces = [
            { text: row.slice(0, Math.max(0, cut)), trained: false },
            { text: row.slice(Math.max(0, cut)), trained: true },
          ];
          return { line: i + 1, pieces };
        });
        return ok({
          name: file.name,
          format: 'text',
          rows: lines.length,
          skipped: [],
          tokens: lines.length * 246,
          trainedTokens: lines.length * 171,
          duplicates: 0,
          unit: 'line',
          columnNames: [],
          notes: [],
          longest: Math.min(611, maxLength),
          cut: maxLength < 611 ? 3 : 0,
          preview,
        });
      } catch {
        return no(`${file.name}: line 1 is not JSON, expected one JSON object a line; correct the file.`);
      }
    },
    parseRecipe: async (file) => {
      try {
        return ok(parseRecipe(await file.text(), file.name));
      } catch (error) {
        if (error instanceof UserError) {
          return no(error.message);
        }
        throw error;
      }
    },
    recipeYaml: async (recipe) => recipeToYaml(recipe),
    defaultRecipe: async () => defaultRecipe(),
    measureSpeed: async (_, settings, onEvent, signal) => {
      Object.assign(globalThis, { settings });
      onEvent({ type: 'phase', phase: 'loading the base', done: 45, total: 100, unit: 'bytes' });
      if (scenario.holdSpeed) {
        const stopped = await new Promise<unknown>((resolve) => {
          signal!.addEventListener('abort', () => resolve(signal!.reason));
        });
        return refused(stopped);
      }
      return ok({ tokensPerSecond: 900 });
    },
    plan: async ({ recipe }) =>
      ok({
        bytes: [
          ['base weights', 625 * MIB],
          ['base scales', 20 * MIB],
          ['embedding', 445 * MIB],
          ['LoRA weights', 141 * MIB],
          ['LoRA gradients', 141 * MIB],
          ['optimizer state', 72 * MIB],
          ['kept activations', 253 * MIB],
          ['working activations', 317 * MIB],
          ['logits', 74 * MIB],
          ['uniforms and readback', 2 * MIB],
        ],
        total: 2090 * MIB,
        maxSteps: scenario.steps,
        checkpointBytes: 213 * MIB,
        checkpointsKept: 2,
        storageLeft: 48 * 1024 * MIB,
        advisories: [],
        work: 270_000 * recipe.training.epochs,
        speedConditions: { 'tokens in the longest row': Math.min(611, recipe.training.maxLength) },
      }),
    start: async (inputs, _, onEvent) => {
      const record = newRecord(crypto.randomUUID(), { steps: scenario.steps, recipe: inputs.recipe, inputs });
      if (inputs.train.corrected) {
        trays.corrected.set(record.id, inputs.train.corrected);
        trays.save();
      }
      const { base, source, train: rows, validation } = inputs;
      started.set(record.id, {
        base,
        train: rows,
        ...(source && { source }),
        ...(validation && { validation }),
      });
      return train(record, onEvent).then(ok, refused);
    },
    lacks: async (id) => ok(runs.get(id)?.lacks ?? []),
    startedWith: async (id) => ok(started.get(id) ?? {}),
    resume: async (id, given, _, onEvent) => {
      Object.assign(globalThis, { given });
      return train({ ...runs.get(id)!, stopped: false }, onEvent).then(ok, refused);
    },
    pause: async () => void (paused = true),
    unpause: async () => void (paused = false),
    stop: async () => void (stopping = true),
    checkpointNow: async () => void (saving = true),
    elsewhere: async () => elsewhere,
    elsewhereEnded: () => elsewhereEnded,
    runs: async () => {
      const folders = scenario.keptBase ? await navigator.storage.getDirectory() : undefined;
      const base = await folders?.getDirectoryHandle('base');
      return [...runs.values()].map((run) => (base ? { ...run, handles: { ...run.handles, base } } : run));
    },
    deleteRun: async (id) => {
      runs.delete(id);
      return ok(undefined);
    },
    ...fakeExports(scenario.pace, scenario.holdLosses),
    handoverFiles: async () =>
      ok({ base: undefined, source: undefined, train: { file: new File([], 'x') }, validation: undefined }),
    handOver: async () => ok(new Blob(['PK'])),
    exportRun: async () => ok(new Blob(['PK'])),
    exportCheckpoint: async () => ok(new Blob(['PK'])),
    exportTaken: async () => ok(new Blob(['PK'])),
    exportRunInto: async () => ok(undefined),
    ...fakeChat(scenario.pace),
  };
}

type AnyHandle = FileSystemDirectoryHandle & FileSystemFileHandle;

/** A handle of which the browser asks the user. */
function askedHandle(name: string) {
  let state: PermissionState = 'prompt';
  return {
    name,
    queryPermission: async () => state,
    requestPermission: () =>
      new Promise<PermissionState>((resolve) => {
        const answer = (event: Event) => resolve((state = (event as CustomEvent<PermissionState>).detail));
        addEventListener('permission', answer, { once: true });
      }),
  };
}

function refused(error: unknown): Answer<never> {
  if (error instanceof UserError) {
    return no(error.message);
  }
  throw error;
}

function newRecord(
  id: string,
  run: { steps: number; recipe: RunRecord['recipe']; inputs?: ChosenInputs },
): RunRecord {
  const { base, source, train, validation } = run.inputs ?? {};
  const names = {
    base: base?.name ?? 'base',
    source: run.inputs ? source?.name : 'v1',
    train: train?.file.name ?? 'train.jsonl',
    validation: validation?.file.name,
  };
  return {
    id,
    sourceRun: source?.run,
    name: run.inputs?.name ?? `${names.source ?? names.base} + ${names.train}`,
    created: Date.UTC(2026, 10, 20, 9, 30),
    status: 'unfinished',
    stopped: false,
    step: 0,
    maxSteps: run.steps,
    recipe: run.recipe,
    inputs: names,
    restarts: 0,
    handles: {},
    checkpoints: [],
    log: [],
  };
}

const lossAt = (step: number, steps: number): number =>
  0.9 + 1.4 * Math.exp((-4 * step) / steps) + 0.07 * Math.sin(step * 2.7) * Math.exp(-step / steps);

const entryOf = (step: number, steps: number) => ({
  step,
  epoch: (2 * step) / steps,
  loss: lossAt(step, steps),
  grad_norm: 0.8 + 0.9 * Math.exp(-step / 15) + 0.1 * Math.cos(step * 1.9),
  learning_rate: 5e-5 * (1 - (step - 1) / steps),
});
