import { beforeEach, describe, expect, it, vi } from 'vitest';
import { type AppState, initialState } from '../../../src/app/shared/app-state.ts';
import { EngineWatch } from '../../../src/app/shared/engine-watch.ts';
import { Store } from '../../../src/app/shared/store.ts';
import { AdapterUse } from '../../../src/app/use/adapter-use.ts';
import type { ExportApi } from '../../../src/engine/protocol/export.ts';
import type { Answer, EngineApi, RunRecord } from '../../../src/engine/protocol/protocol.ts';
import { outputFolder } from '../../support/output-folder.ts';

const record = {
  id: 'run',
  name: 'v1 + rows.jsonl',
  handles: {},
  inputs: { base: 'base', source: 'v1', train: 'rows.jsonl', validation: undefined },
} as RunRecord;
const base = { name: 'base', files: [] };
const exported = { files: 1, bytes: 8, notes: ['A note.'], commands: ['ollama run v2'] };

let engine: { [name in keyof ExportApi]: ReturnType<typeof vi.fn<ExportApi[name]>> };
let app: Store<AppState>;
let use: AdapterUse;
let folder: ReturnType<typeof outputFolder>;
beforeEach(() => {
  engine = {
    baseFolder: vi.fn<ExportApi['baseFolder']>(async () => ({ ok: true, value: base })),
    exportSizes: vi.fn<ExportApi['exportSizes']>(async () => ({
      ok: true,
      value: [
        { form: 'merged', type: undefined, size: { bytes: 8 } },
        { form: 'gguf', type: 'q8_0', size: { problem: 'no.' } },
        { form: 'gguf-lora', type: 'f32', size: { bytes: 2 } },
      ],
    })),
    exportLosses: vi.fn<ExportApi['exportLosses']>(),
    exportAdapterInto: vi.fn<ExportApi['exportAdapterInto']>(async () => ({ ok: true, value: exported })),
    exportAdapterFile: vi.fn<ExportApi['exportAdapterFile']>(),
  };
  app = new Store({ ...initialState, runs: [record] });
  const api = { ...engine, lacks: async () => ({ ok: true, value: [] }), responds: async () => true };
  const whole = api as unknown as EngineApi;
  use = new AdapterUse(whole, app, new EngineWatch(whole, app));
  folder = outputFolder('models');
  vi.stubGlobal('showDirectoryPicker', async () => folder.handle);
});

describe('V2 for other programs', () => {
  it('knows its sizes once the base is found', async () => {
    await use.open(record, 'runs');
    expect(app.state.view).toBe('use');
    expect(use.store.state).toMatchObject({ used: { label: 'V2', name: 'v2' }, base });
    expect(engine.exportSizes.mock.calls[0]!.slice(0, 2)).toEqual([
      { run: 'run', step: undefined, name: 'v2', base },
      'base',
    ]);
    expect([use.size, use.outputName, use.lacksBase]).toEqual([{ bytes: 8 }, 'v2-merged', false]);
    await use.choose({ form: 'gguf' });
    expect([use.size, use.outputName]).toEqual([{ problem: 'no.' }, 'v2-Q8_0.gguf']);
    expect(engine.exportSizes).toHaveBeenCalledTimes(1);
    await use.choose({ onto: 'nf4' });
    expect(engine.exportSizes.mock.lastCall![1]).toBe('nf4');
    use.close();
    expect(app.state.view).toBe('runs');
  });

  it('calls a checkpoint by its step', async () => {
    await use.open(record, 'runs', 20);
    expect(use.store.state.used).toMatchObject({ label: 'V2 at step 20', name: 'v2-step-20' });
  });

  it('asks for the folder of a base that the browser cannot reach, but for the adapter alone', async () => {
    engine.baseFolder.mockResolvedValue({ ok: false, sentence: 'base: it is not where it was.' });
    await use.open(record, 'train');
    expect(use.lacksBase).toBe(true);
    expect(use.store.state.baseProblem).toBe('base: it is not where it was.');
    await use.choose({ form: 'gguf-lora' });
    expect([use.lacksBase, use.outputName]).toEqual([false, 'v2-F32-lora.gguf']);
    await use.choose({ form: 'merged' });
    await use.giveBase(base);
    expect([use.lacksBase, use.store.state.baseProblem]).toEqual([false, undefined]);
  });

  it('goes into a new folder, and says how to run it', async () => {
    await use.open(record, 'train');
    folder.files.set('v2-merged/config.json', new Uint8Array());
    const heard: unknown[] = [];
    engine.exportAdapterInto.mockImplementation(async (_, __, ___, onExport) => {
      onExport('writing', 4, 8);
      heard.push(use.store.state.work);
      return { ok: true, value: exported };
    });
    await use.saveIntoFolder();
    expect(heard).toMatchObject([{ phase: 'writing', done: 4, total: 8, canceled: false }]);
    expect(use.store.state.work).toBeUndefined();
    expect(use.store.state.said).toEqual({
      kind: 'good',
      text: 'V2 is in the folder models, as v2-merged-2.',
      notes: ['A note.'],
      commands: ['ollama run v2'],
    });
  });

  it('leaves nothing of an export that fails', async () => {
    await use.open(record, 'train');
    engine.exportAdapterInto.mockImplementation(async () => {
      folder.files.set('v2-merged/model.safetensors', new Uint8Array(4));
      return { ok: false, sentence: 'models: the disk is full.' };
    });
    await use.saveIntoFolder();
    expect(use.store.state.said).toEqual({
      kind: 'bad',
      text: 'models: the disk is full. Nothing of it was kept.',
    });
    expect(folder.files.size).toBe(0);
  });

  it('leaves nothing of an export that is canceled', async () => {
    await use.open(record, 'train');
    await use.choose({ form: 'gguf-lora' });
    engine.exportAdapterInto.mockImplementation(async (_, choice, place, ___, signal) => {
      expect(choice).toEqual({ form: 'gguf-lora', type: 'f32', onto: 'base' });
      folder.files.set(place.file!, new Uint8Array(4));
      return new Promise<Answer<never>>((resolve) =>
        signal!.addEventListener('abort', () =>
          resolve({ ok: false, sentence: (signal!.reason as Error).message }),
        ),
      );
    });
    const saving = use.saveIntoFolder();
    await vi.waitFor(() => expect(folder.files.size).toBe(1));
    use.cancel();
    expect(use.store.state.work?.canceled).toBe(true);
    await saving;
    expect(use.store.state.said).toEqual({
      kind: 'info',
      text: 'V2: the export was canceled. Nothing of it was kept.',
    });
    expect(folder.files.size).toBe(0);
  });

  it('writes into no folder of a model', async () => {
    await use.open(record, 'train');
    folder.files.set('config.json', new Uint8Array());
    await use.saveIntoFolder();
    expect(use.store.state.said?.text).toMatch(/^models: it holds a model already \(config\.json\)/);
    expect(engine.exportAdapterInto).not.toHaveBeenCalled();
  });

  it('does nothing where no folder is picked', async () => {
    await use.open(record, 'train');
    vi.stubGlobal('showDirectoryPicker', () => Promise.reject(new DOMException('', 'AbortError')));
    await use.saveIntoFolder();
    expect([use.store.state.said, use.store.state.work]).toEqual([undefined, undefined]);
  });

  it('measures what merging changes once, and gives the export of that choice what it found', async () => {
    await use.open(record, 'runs');
    const at = (loss: number) => ({ loss, perplexity: Math.exp(loss), rows: 2 });
    const losses = { trained: at(0.5), written: at(0.6) };
    engine.exportLosses.mockImplementation(async (_, __, ___, onEvent) => {
      onEvent({ type: 'note', text: 'Line 2 was skipped.' });
      return { ok: true, value: losses };
    });
    engine.exportAdapterFile.mockResolvedValue({ ok: false, sentence: 'no room.' });
    const rows = { file: new File([], 'val.jsonl') };
    use.losses.chooseRows(rows);
    await use.measureLosses();
    const { calls } = engine.exportLosses.mock;
    expect(calls[0]!.slice(1, 3)).toEqual([
      { form: 'merged', type: undefined, onto: 'base' },
      { file: rows, trained: undefined },
    ]);
    expect(use.losses.store.state.said).toEqual({
      kind: 'good',
      text: 'eval_loss over 2 rows: 0.5000 as trained, 0.6000 as written.',
      notes: ['Line 2 was skipped.'],
    });
    await use.download();
    expect(engine.exportAdapterFile.mock.lastCall![1].losses).toEqual(losses);
    await use.choose({ onto: 'nf4' });
    await use.download();
    expect(engine.exportAdapterFile.mock.lastCall![1].losses).toBeUndefined();
    await use.measureLosses();
    expect(calls[1]![2]).toEqual({ file: rows, trained: losses.trained });
    // GGUF and Ollama have the same weights.
    await use.choose({ form: 'ollama' });
    await use.measureLosses();
    await use.choose({ form: 'gguf' });
    await use.download();
    expect(engine.exportAdapterFile.mock.lastCall![1].losses).toEqual(losses);
    await use.giveBase(base);
    expect(use.losses.store.state.measured).toEqual([]);
    await use.measureLosses();
    expect(calls.at(-1)![2]).toEqual({ file: rows, trained: undefined });
    use.losses.chooseRows(undefined);
    expect(use.losses.store.state.measured).toEqual([]);
  });

  it('ends a measurement that is canceled, and one of an adapter that is left', async () => {
    await use.open(record, 'runs');
    engine.exportLosses.mockImplementation(
      (_, __, ___, ____, signal) =>
        new Promise((resolve) =>
          signal!.addEventListener('abort', () =>
            resolve({ ok: false, sentence: (signal!.reason as Error).message }),
          ),
        ),
    );
    const first = use.measureLosses();
    await vi.waitFor(() => expect(engine.exportLosses).toHaveBeenCalledTimes(1));
    use.losses.cancel();
    await first;
    expect(use.losses.store.state).toMatchObject({
      said: { kind: 'info', text: 'The measurement was canceled.' },
      work: undefined,
    });
    const second = use.measureLosses();
    await vi.waitFor(() => expect(engine.exportLosses).toHaveBeenCalledTimes(2));
    await use.open(record, 'runs', 20);
    await second;
    expect(use.losses.store.state).toEqual({
      measured: [],
      rows: undefined,
      said: undefined,
      work: undefined,
    });
  });
});
