import { type Zippable, zipSync } from 'fflate';
import { keepArchive, readArchive } from '../../../src/engine/runs/read-archive.ts';
import { archiveRun } from '../../../src/engine/runs/run-archive.ts';
import type { Runs } from '../../../src/engine/runs/runs.ts';
import type { RunRecords, StoredRun } from '../../../src/storage/run-records.ts';
import type { Random } from '../../support/random.ts';
import { fixture, fixtures } from '../fixtures.ts';
import { bytesOf, expectSame, type Files, type Format, INPUT, textOf } from '../format.ts';
import { HOSTILE_TEXTS, mutateBytes } from '../mutate/bytes.ts';
import { mutateJson } from '../mutate/json.ts';
import { mutateCheckpoint, rehash } from './checkpoint.ts';

const FILE = `${INPUT}.zip`;
const RECORD = 'retune-run.json';
const ID = '01234567-89ab-4cde-8f01-23456789abcd';
const WORDS = [
  '"finished"',
  '"unfinished"',
  `"${ID}"`,
  '"none"',
  `"${'0'.repeat(64)}"`,
  '[{"step":1,"loss":2}]',
  '"lora: {r: 0}"',
  '"x: ["',
];
const PATHS = [
  ...[
    '../x',
    '/etc/passwd',
    'C:\\x',
    'result/../x',
    'result/',
    'result/a/b',
    'checkpoint/x/y',
    'checkpoint/9/y',
    'manifest/9',
    'manifest/x',
  ],
  ...[
    'logs/x',
    'logs/\u0000',
    'result/\u202ex',
    RECORD,
    'result/adapter_model.safetensors',
    'x'.repeat(300),
    'result/' + 'x'.repeat(200),
  ],
  ...HOSTILE_TEXTS,
];

/** The zip of a whole run, imported into a browser without runs. */
export const zip: Format = {
  name: 'zip',
  seeds: () => [packed(contents())],
  mutate(random) {
    const entries = mutateEntries(random, contents());
    const file = packed(entries, random.uniform() < 0.3 ? 6 : 0);
    if (random.uniform() < 0.6) {
      return file;
    }
    const bytes = file[FILE]!;
    // Half of the byte changes are made in the directory.
    const from = random.uniform() < 0.5 ? 0 : bytes.length - Math.min(bytes.length, 1200);
    const changed = mutateBytes(
      random,
      bytes.subarray(from),
      [bytes],
      ['PK\u0001\u0002', 'PK\u0005\u0006', 'PK\u0003\u0004', '\0\0\0\0'],
    );
    return { [FILE]: Uint8Array.from([...bytes.subarray(0, from), ...changed]) };
  },
  async read(files) {
    const { record, entries } = await imported(files[FILE]!);
    const all = entries.map(([key, value]): [string, unknown] => [`run/${record.id}/${key}`, value]);
    const runs = { record: () => Promise.resolve(record), records: { files: () => Promise.resolve(all) } };
    const again = await archiveRun(runs as unknown as Runs, record.id);
    const kept = await imported(new Uint8Array(await again.arrayBuffer()));
    expectSame(kept.record, record, 'the record exported and imported again');
    expectSame(
      await contentsOf(kept.entries),
      await contentsOf(entries),
      'the files exported and imported again',
    );
  },
};

type Entries = readonly (readonly [key: string, value: unknown])[];

/** What a zip puts into the browser's database. */
async function imported(bytes: Uint8Array): Promise<{ record: StoredRun; entries: Entries }> {
  const restored: { record: StoredRun; entries: Entries }[] = [];
  const records = {
    get: () => Promise.resolve(undefined),
    restore: (record: StoredRun, entries: Entries) => {
      restored.push({ record, entries });
      return Promise.resolve();
    },
  };
  const to = records as unknown as RunRecords;
  const file = new File([bytes as Uint8Array<ArrayBuffer>], FILE);
  await keepArchive(to, await readArchive(to, file, {}, () => Promise.resolve(1e9)));
  return restored[0]!;
}

const contentsOf = async (entries: Entries) =>
  Object.fromEntries(
    await Promise.all(
      entries.map(
        async ([key, value]) =>
          [key, value instanceof Blob ? new Uint8Array(await value.arrayBuffer()) : value] as const,
      ),
    ),
  );

type Contents = Record<string, Uint8Array>;

/** The run of tests/fixtures/run as the page exports it. */
function contents(): Contents {
  const under = (prefix: string, files: Files): Contents =>
    Object.fromEntries(Object.entries(files).map(([name, bytes]) => [prefix + name, bytes]));
  const state = JSON.parse(textOf(fixture('run/retune_state.json'))) as { identity: object; step: number };
  const { log_history: log } = JSON.parse(textOf(fixture('run/trainer_state.json'))) as {
    log_history: object[];
  };
  const record = {
    ...{
      id: ID,
      name: 'V2',
      created: 1795960487000,
      status: 'finished',
      stopped: true,
      step: state.step,
      maxSteps: 3,
      handles: {},
    },
    recipe: textOf(fixture('run/training_config.yaml')),
    inputs: { base: 'base', train: 'train.jsonl', validation: 'val.jsonl' },
    identity: state.identity,
    log,
  };
  const result = fixtures('run');
  return {
    [RECORD]: bytesOf(JSON.stringify(record)),
    ...under('result/', result),
    ...under('checkpoint/2/', fixtures('run/checkpoint-2')),
    'manifest/2': bytesOf(JSON.stringify({ step: 2, files: {}, bytes: 9 })),
    ...under('logs/', fixtures('run/logs')),
  };
}

function packed(entries: Contents, level: 0 | 6 = 0): Files {
  const all: Zippable = Object.fromEntries(
    Object.entries(entries).map(([name, bytes]) => [name, [bytes, { level, mtime: new Date(2026, 0, 1) }]]),
  );
  return { [FILE]: zipSync(all) };
}

/** One or two changes to what the zip holds. */
function mutateEntries(random: Random, entries: Contents): Contents {
  const changed = { ...entries };
  do {
    const path = random.pick(Object.keys(changed));
    switch (random.integer(0, 6)) {
      case 0:
      case 1:
        changed[RECORD] = mutateJson(random, entries[RECORD]!, WORDS);
        break;
      case 2:
        Reflect.deleteProperty(changed, path);
        changed[RECORD] ??= entries[RECORD]!;
        break;
      case 3:
        changed[random.pick(PATHS)] = changed[path]!;
        break;
      case 4: {
        const place = random.pick(['result/', 'checkpoint/2/']);
        const files = Object.entries(changed).filter(([name]) => name.startsWith(place));
        if (files.length === 0) {
          break;
        }
        const own = mutateCheckpoint(
          random,
          Object.fromEntries(files.map(([name, bytes]) => [name.slice(place.length), bytes])),
        );
        for (const [name, bytes] of Object.entries(rehash(own))) {
          changed[place + name] = bytes;
        }
        break;
      }
      case 5:
        if (changed['manifest/2']) {
          changed['manifest/2'] = mutateJson(random, bytesOf('{"step":2,"files":{"x":1},"bytes":9}'), WORDS);
        }
        break;
      default:
        for (let i = 0; i < random.pick([1, 300]); i++) {
          changed[`logs/${i}`] = new Uint8Array(1);
        }
    }
  } while (random.uniform() < 0.3);
  return changed;
}
