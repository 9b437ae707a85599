import { type Zippable, zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { keepArchive, readArchive } from '../../../src/engine/runs/read-archive.ts';
import { defaultRecipe, recipeToYaml } from '../../../src/formats/recipe.ts';
import { sha256Chunks } from '../../../src/formats/sha256.ts';
import { encodeUtf8 } from '../../../src/formats/utf8.ts';
import { adapterHash } from '../../../src/run/checkpoint/identity.ts';
import type { RunRecords, StoredRun } from '../../../src/storage/run-records.ts';
import { memoryFolder } from '../../support/memory-folder.ts';

const hash = (character: string) => character.repeat(64);
const identity = {
  base: hash('a'),
  source: hash('b'),
  train: hash('c'),
  validation: 'none',
  tokens: hash('d'),
  recipe: hash('e'),
};
const adapter = {
  'adapter_config.json': encodeUtf8('{}'),
  'adapter_model.safetensors': encodeUtf8('weights'),
};
const state = { ...adapter, 'optimizer.safetensors': encodeUtf8('state') };
const json = (value: unknown) => encodeUtf8(JSON.stringify(value));

/** A folder of a run with its hashes beside it. */
async function sound(prefix: string, files: Record<string, Uint8Array>, own = identity): Promise<Zippable> {
  const hashes: Record<string, string> = {};
  for (const [name, bytes] of Object.entries(files)) {
    hashes[name] = await sha256Chunks([bytes]);
  }
  const cursor = json({ step: 2, identity: own, plan: {}, logWindow: {}, files: hashes });
  const all = Object.entries({ ...files, 'retune_state.json': cursor });
  return Object.fromEntries(all.map(([name, bytes]) => [prefix + name, bytes]));
}

const record = async (): Promise<Record<string, unknown>> => ({
  id: '01234567-89ab-4cde-8f01-23456789abcd',
  name: 'V2',
  created: 5,
  status: 'finished',
  stopped: false,
  step: 2,
  maxSteps: 2,
  recipe: recipeToYaml(defaultRecipe()),
  inputs: { base: 'base', source: 'v1', train: 'train.jsonl' },
  identity,
  resultHash: await adapterHash(memoryFolder('result', adapter)),
  log: [{ step: 1, epoch: 0.5, loss: 2.5 }],
});

/** What of a record is known. */
const KEYS = [
  ...[
    'baseline',
    'best',
    'changes',
    'columns',
    'created',
    'handles',
    'id',
    'identity',
    'imported',
    'inputs',
    'log',
    'maxSteps',
    'name',
  ],
  ...[
    'note',
    'precision',
    'recipe',
    'resultHash',
    'samples',
    'sourceLineage',
    'sourceRun',
    'sourceStep',
    'status',
    'step',
    'stopped',
    'taken',
  ],
];

async function archive(change: Record<string, unknown> = {}): Promise<Zippable> {
  return {
    'retune-run.json': json({ ...(await record()), ...change }),
    ...(await sound('result/', adapter)),
    ...(await sound('checkpoint/2/', state)),
    'manifest/2': json({ step: 99, files: { x: 1 }, bytes: 9, loss: 0.5, rescue: false }),
    'logs/events.out': encodeUtf8('log'),
  };
}

const CHAT = '12345678-89ab-4cde-8f01-23456789abcd';
const sampling = { temperature: 0.7, topP: 0.9, maxNewTokens: 8, seed: 42, stop: ['END'] };
const answers = [{ version: 'v1', text: 'one', ended: 'stop id' }];
const turn = { question: '1?', sampling, blind: true, answers, vote: 'same' };
const chat = { id: CHAT, created: 5, system: '', shuffle: 1, turns: [turn] };
const withChat = async (change: object, name = CHAT) => ({
  ...(await archive()),
  [`chats/${name}.json`]: json({ ...chat, ...change }),
});

/** The runs of a browser that is not there. */
function records(existing?: StoredRun) {
  const restored: { record: StoredRun; files: ReadonlyMap<string, unknown> }[] = [];
  const fake = {
    get: () => Promise.resolve(existing),
    restore: (record: StoredRun, files: readonly (readonly [string, unknown])[]) => {
      restored.push({ record, files: new Map(files) });
      return Promise.resolve();
    },
  };
  return { restored, records: fake as unknown as RunRecords };
}

/** As the page does it: the run is read whole before anything of it is kept. */
const importRun = async (to: RunRecords, file: File, left = 1e9) =>
  keepArchive(to, await readArchive(to, file, {}, () => Promise.resolve(left)));

const zip = (files: Zippable) =>
  new File([zipSync(files, { level: 0 }) as Uint8Array<ArrayBuffer>], 'v2.zip');

const without = (files: Zippable, begin: string): Zippable =>
  Object.fromEntries(Object.entries(files).filter(([path]) => !path.startsWith(begin)));

describe('importRun', () => {
  it('takes a run with its files, and marks it as imported and at rest', async () => {
    const { records: to, restored } = records();
    expect(await importRun(to, zip(await archive()))).toEqual({
      id: '01234567-89ab-4cde-8f01-23456789abcd',
      name: 'V2',
    });
    const [{ record: kept, files }] = restored as [(typeof restored)[0]];
    expect(kept).toMatchObject({ name: 'V2', imported: true, stopped: true, handles: {}, identity });
    expect(kept.recipe).toEqual(defaultRecipe());
    const cursor = files.get('checkpoint/2/retune_state.json') as Blob;
    const sizes = {
      ...{ 'adapter_config.json': 2, 'adapter_model.safetensors': 7 },
      'optimizer.safetensors': 5,
    };
    // Only what the archive alone can tell is believed.
    expect(files.get('manifest/2')).toEqual({
      ...{ step: 2, loss: 0.5, rescue: false, bytes: 14 + cursor.size },
      files: { ...sizes, 'retune_state.json': cursor.size },
    });
    expect(await (files.get('result/adapter_model.safetensors') as Blob).text()).toBe('weights');
    expect(files.size).toBe(9);
  });

  it('takes conversations along', async () => {
    const { records: to, restored } = records();
    await importRun(to, zip(await withChat({})));
    const file = restored[0]!.files.get(`chats/${CHAT}.json`) as Blob;
    expect(JSON.parse(await file.text())).toEqual(chat);
  });

  it.each<[string, (files: Zippable) => Promise<Zippable> | Zippable, string]>([
    [
      'a conversation under another name',
      () => withChat({}, 'other'),
      `chats/other.json in it is the conversation ${CHAT}`,
    ],
    [
      'a conversation with what is no answer',
      () => withChat({ turns: [{ ...turn, answers: [{ ...answers[0], text: 5 }] }] }),
      `chats/${CHAT}.json: turns[0].answers[0].text is 5, expected text`,
    ],
    [
      'a conversation with a version that cannot be',
      () => withChat({ turns: [{ ...turn, answers: [{ ...answers[0], version: '__proto__' }] }] }),
      `chats/${CHAT}.json: turns[0].answers[0].version is "__proto__", expected a version`,
    ],
    [
      'a path that leads elsewhere',
      (files) => ({ ...files, '../evil': encodeUtf8('x') }),
      'it holds "../evil", which is no file of a run',
    ],
    [
      'a path that leads elsewhere from a folder',
      (files) => ({ ...files, 'result/../../x': encodeUtf8('x') }),
      'it holds "result/../../x", which is no file of a run',
    ],
    [
      'no record',
      (files) => without(files, 'retune-run.json'),
      'there is no retune-run.json in it, so it is not an exported run',
    ],
    ['no result of a finished run', (files) => without(files, 'result/'), 'the result of its run is missing'],
    [
      'changed weights',
      (files) => ({ ...files, 'checkpoint/2/adapter_model.safetensors': encodeUtf8('Weights') }),
      'checkpoint/2: adapter_model.safetensors has SHA-256 ',
    ],
    [
      'a checkpoint of another run',
      async (files) => ({
        ...files,
        ...(await sound('checkpoint/2/', state, { ...identity, train: hash('f') })),
      }),
      'checkpoint/2 in it is of another run (it differs in the training data)',
    ],
    [
      'a record of another result',
      () => archive({ resultHash: hash('9') }),
      'the result in it is not the one',
    ],
    [
      'a checkpoint with a file that its hashes leave out',
      (files) => ({ ...files, 'checkpoint/2/more.json': encodeUtf8('{}') }),
      "checkpoint/2/more.json in it is none of its run's files",
    ],
    [
      'a manifest without its checkpoint',
      (files) => ({ ...files, 'manifest/3': json({}) }),
      'checkpoint 3 is missing, though its manifest is in it',
    ],
    [
      'a step with zeros before it, which would be another key of the same checkpoint',
      (files) => ({ ...files, 'checkpoint/02/a': encodeUtf8('x') }),
      'it holds "checkpoint/02/a", which is no file of a run',
    ],
  ])('refuses %s', async (_, change, sentence) => {
    const { records: to, restored } = records();
    const told = await importRun(to, zip(await change(await archive()))).catch(
      (error: Error) => error.message,
    );
    expect(told).toContain(`v2.zip: ${sentence}`);
    expect(told).toMatch(/; choose a zip that Retune has exported, or export it again\.$/);
    expect(restored).toEqual([]);
  });

  it('refuses a run that is here already', async () => {
    const { records: to } = records({ name: 'my V2' } as StoredRun);
    await expect(importRun(to, zip(await archive()))).rejects.toThrow(
      'v2.zip: this run is in the browser already, as my V2; delete that one first.',
    );
  });

  it('refuses more than the browser has space for, before reading it', async () => {
    const { records: to, restored } = records();
    await expect(importRun(to, zip(await archive()), 100)).rejects.toThrow(
      /^v2\.zip: its files take 1\.4 KiB, and the browser grants 100 bytes more; delete earlier runs or free some disk space\.$/,
    );
    expect(restored).toEqual([]);
  });
});

describe("an archive's record", () => {
  const told = async (change: Record<string, unknown>) => {
    const { records: to, restored } = records();
    const message = await importRun(to, zip(await archive(change))).catch((error: Error) => error.message);
    expect(restored).toEqual([]);
    return message;
  };

  it.each<[string, Record<string, unknown>, string]>([
    ['a strange id', { id: 'x/../y' }, 'id is "x/../y", expected the id of a run'],
    ['a name that is none', { name: 5 }, 'name is 5, expected text'],
    ['a name of 10 MB', { name: 'n'.repeat(1e7) }, 'expected text of at most 1000 characters'],
    ['a note of 1 MB', { note: 'n'.repeat(1e6) }, 'expected text of at most 20000 characters'],
    ['a date before 1970', { created: -1 }, 'created is -1, expected a whole number at least 0'],
    ['a date that is none', { created: 1e300 }, 'created is 1e+300, expected a whole number'],
    [
      'a status of its own',
      { status: 'training' },
      'status is "training", expected one of finished, unfinished',
    ],
    ['more steps than it has', { step: 3 }, 'step is 3, expected a whole number at least 0 and at most 2'],
    ['steps without end', { maxSteps: 1e12 }, 'maxSteps is 1000000000000, expected a whole number'],
    ['no recipe', { recipe: null }, 'recipe is missing, expected text'],
    [
      'a recipe that is wrong',
      { recipe: 'training: {save_steps: often}' },
      'recipe: training.save_steps is "often"',
    ],
    ['no inputs', { inputs: [] }, 'inputs is [], expected keys and values'],
    ['an input without a name', { inputs: { base: 'b' } }, 'inputs.train is missing, expected text'],
    ['an input with a long name', { inputs: { base: 'b'.repeat(2e3), train: 't' } }, 'inputs.base is "bbb'],
    ['no hashes', { identity: { base: 'x' } }, 'identity.base is "x", expected a SHA-256'],
    [
      'a hash too short',
      { identity: { ...identity, train: 'none' } },
      'identity.train is "none", expected a SHA-256',
    ],
    ['a source that is no run', { sourceRun: '../V1' }, 'sourceRun is "../V1", expected the id of a run'],
    [
      'a lineage that is none',
      { sourceLineage: { base: hash('1'), source: 'V1' } },
      'sourceLineage.source is "V1", expected a SHA-256',
    ],
    ['a step of its source that is none', { sourceStep: 1.5 }, 'sourceStep is 1.5, expected a whole number'],
    ['a best step past its end', { best: { step: 1e6, evalLoss: 1 } }, 'step is 1000000, expected'],
    ['a precision of its own', { precision: 'f8' }, 'precision is "f8", expected one of auto, '],
    ['a log that is none', { log: {} }, 'log is {}, expected a list of at most 400000 entries'],
    ['a log without end', { log: Array(400_001).fill(0) }, 'log is "400001 entries", expected a list'],
    ['an entry that is none', { log: [1] }, 'log[0] is 1, expected step, epoch and'],
    [
      'an entry without an epoch',
      { log: [{ step: 1, loss: 1 }] },
      'log[0] is {"step":1,"loss":1}, expected step, epoch',
    ],
    [
      'an entry with text',
      { log: [{ step: 1, epoch: 1, loss: '<b>' }] },
      'log[0] is {"step":1,"epoch":1,"loss":"<b>"}',
    ],
    ['an entry with strange names', { log: [{ step: 1, epoch: 1, 'a b': 1 }] }, 'log[0] is '],
    [
      'an entry of many numbers',
      { log: [Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`a${i}`, i]))] },
      'log[0] is ',
    ],
  ])('with %s is refused in one short sentence', async (_, change, sentence) => {
    const message = await told(change);
    expect(message).toContain('v2.zip, retune-run.json: ');
    expect(message).toContain(sentence);
    expect(message).toMatch(/\.$/);
    expect(String(message).length).toBeLessThan(500);
  });

  it('that is no record, or no JSON, is refused', async () => {
    const refusal = async (bytes: Uint8Array) =>
      importRun(records().records, zip({ ...(await archive()), 'retune-run.json': bytes }));
    await expect(refusal(json([1]))).rejects.toThrow(
      'v2.zip, retune-run.json: it holds [1], expected keys and values',
    );
    await expect(refusal(encodeUtf8('{"id": "'))).rejects.toThrow(
      'v2.zip, retune-run.json: not valid JSON at line 1, column 8: a string has no closing quote',
    );
    await expect(refusal(new Uint8Array([0x22, 0xff, 0x22]))).rejects.toThrow(
      'retune-run.json: not valid UTF-8',
    );
    await expect(refusal(new Uint8Array(2 ** 26 + 1))).rejects.toThrow(
      'v2.zip: retune-run.json in it takes 64.0 MiB, more than 64.0 MiB',
    );
  });

  it('brings nothing but what is known, and nothing of its own browser', async () => {
    const { records: to, restored } = records();
    const text = JSON.stringify({
      ...(await record()),
      handles: { base: {} },
      restarts: 3,
      evil: 1,
      stopped: false,
    });
    const foreign = text.replace('{', '{"__proto__": {"name": "x"}, "constructor": 1, ');
    const log = [{ step: 1, epoch: 0.5, loss: null, constructor: 2 }];
    await importRun(to, zip({ ...(await archive()), 'retune-run.json': encodeUtf8(foreign) }));
    expect(Object.keys(restored[0]!.record).toSorted()).toEqual(KEYS);
    expect(restored[0]!.record).toMatchObject({ handles: {}, stopped: true, imported: true, name: 'V2' });
    await importRun(to, zip(await archive({ log, precision: 'f32', identity: { ...identity, more: 'x' } })));
    await importRun(to, zip(await archive({ best: { step: 1, evalLoss: 0.5, more: 1 } })));
    expect(restored[2]!.record.best).toEqual({ step: 1, evalLoss: 0.5 });
    const { log: kept, precision, identity: hashes } = restored[1]!.record;
    // What was not a number when it was written is null in JSON.
    expect(kept).toEqual([{ step: 1, epoch: 0.5, loss: NaN, constructor: 2 }]);
    expect(precision).toBe('f32');
    expect(hashes).toEqual(identity);
  });
});

describe('import of a run', () => {
  it('ends where it is canceled, with nothing kept', async () => {
    for (const after of [0, 1, 5, 9]) {
      const { records: to, restored } = records();
      const cancel = new AbortController();
      const reason = new Error('canceled');
      let calls = 0;
      const onProgress = () => {
        if (calls++ === after) {
          cancel.abort(reason);
        }
      };
      const following = { signal: cancel.signal, onProgress };
      const file = zip(await archive());
      await expect(readArchive(to, file, following, () => Promise.resolve(1e9))).rejects.toBe(reason);
      expect(restored).toEqual([]);
    }
  });

  it('tells how far it is, up to all', async () => {
    const told: [number, number][] = [];
    const onProgress = (done: number, total: number) => told.push([done, total]);
    await readArchive(records().records, zip(await archive()), { onProgress }, () => Promise.resolve(1e9));
    const [, total] = told[0]!;
    expect(told.map(([done]) => done)).toEqual(told.map(([done]) => done).toSorted((a, b) => a - b));
    expect(told.at(-1)).toEqual([total, total]);
  });

  it('takes hundreds of checkpoints', async () => {
    const one = await sound('', { 'adapter_config.json': encodeUtf8('{}') });
    const files: Zippable = { ...(await archive()) };
    for (let step = 10; step < 310; step++) {
      for (const [name, bytes] of Object.entries(one)) {
        files[`checkpoint/${step}/${name}`] = bytes;
      }
      files[`manifest/${step}`] = json({});
    }
    const { records: to, restored } = records();
    await importRun(to, zip(files));
    expect(restored[0]!.files.size).toBe(909);
  }, 60_000);
});
