import { createHash } from 'node:crypto';
import { inspectFolder } from '../../../src/cli/inspections.ts';
import { parseAdapterConfig } from '../../../src/formats/adapter-config.ts';
import { parseDecoderConfig } from '../../../src/formats/decoder-config.ts';
import { parseJson } from '../../../src/formats/json.ts';
import { parseRecipe } from '../../../src/formats/recipe.ts';
import {
  type Checkpoint,
  checkpointFiles,
  CURSOR,
  readCheckpoint,
} from '../../../src/run/checkpoint/checkpoint.ts';
import type { Prepared } from '../../../src/run/input/prepare.ts';
import { joinBytes, memoryFolder } from '../../support/memory-folder.ts';
import type { Random } from '../../support/random.ts';
import { fixture, fixtures } from '../fixtures.ts';
import { bytesOf, expectSame, type Files, folderOf, type Format, INPUT, textOf } from '../format.ts';
import { mutateBytes } from '../mutate/bytes.ts';
import { mutateJson } from '../mutate/json.ts';
import { mutateLines } from '../mutate/lines.ts';
import { mutateSafetensors } from '../mutate/safetensors.ts';

const WORDS = [
  ...[
    '"none"',
    '"text"',
    '"chat"',
    '"f32"',
    '"f16"',
    '"matrix"',
    '"paged"',
    '"resident"',
    '"00"',
    '"99"',
    '2',
    '3',
    '4',
    '5',
  ],
  ...[
    '{"sum":0,"lastLogged":1,"total":0}',
    '{"forward 64x64":"none"}',
    `"${'0'.repeat(64)}"`,
    '"first-fit"',
    '[1,2,3]',
    '1e18',
  ],
  ...['"../../x"', '{"x":"y"}', '"retune_state.json"'],
];

/**
 * Updates retune_state.json with the files' current hashes, so that the code reading the files themselves is
 * reached.
 */
export function rehash(files: Files): Files {
  try {
    const state = JSON.parse(textOf(files[CURSOR]!)) as { files: Record<string, string> };
    for (const name of Object.keys(state.files)) {
      if (files[name]) {
        state.files[name] = createHash('sha256').update(files[name]).digest('hex');
      }
    }
    return { ...files, [CURSOR]: bytesOf(`${JSON.stringify(state, null, 2)}\n`) };
  } catch {
    return files;
  }
}

/** Changes one of a checkpoint's files, mostly with matching hashes. */
export function mutateCheckpoint(random: Random, files: Files): Files {
  const name = random.pick([...Object.keys(files), CURSOR, CURSOR]);
  const bytes = files[name];
  // An archive may have lost it to an earlier change.
  if (!bytes) {
    return files;
  }
  const others = Object.values(files);
  let changed: Files;
  if (random.uniform() < 0.1) {
    changed = random.pick([
      without(files, name),
      { ...files, [name]: mutateBytes(random, bytes, others, WORDS) },
    ]);
  } else if (name.endsWith('.json')) {
    changed = { ...files, [name]: mutateJson(random, bytes, WORDS) };
  } else if (name.endsWith('.safetensors')) {
    changed = { ...files, [name]: mutateSafetensors(random, bytes, others) };
  } else {
    changed = { ...files, [name]: mutateLines(random, bytes, WORDS) };
  }
  return random.uniform() < 0.8 ? rehash(changed) : changed;
}

const without = (files: Files, name: string): Files =>
  Object.fromEntries(Object.entries(files).filter(([key]) => key !== name));

/** A run's checkpoint: tests/fixtures/run is the output of three steps on two modules of the case batch2. */
export const checkpoint: Format = {
  name: 'checkpoint',
  seeds: () => [fixtures('run/checkpoint-2')],
  mutate: mutateCheckpoint,
  async read(files) {
    const folder = folderOf(files);
    const decoder = parseDecoderConfig(
      parseJson(textOf(fixture('cases/batch2/base/config.json'))),
      'config.json',
    );
    const read = await readCheckpoint(folder, decoder);
    JSON.stringify(await inspectFolder(folder, () => undefined));
    const config = parseAdapterConfig(
      parseJson(textOf(files['adapter_config.json']!), { keepFloats: true }),
      'adapter_config.json',
    );
    const { recipe } = parseRecipe('', 'training_config.yaml');
    const written = await checkpointFiles(read, {
      adapter: { config },
      inputs: { recipe },
    } as unknown as Prepared);
    const again = memoryFolder(
      INPUT,
      Object.fromEntries(Object.entries(written).map(([name, chunks]) => [name, joinBytes(chunks)])),
    );
    expectSame(byName(await readCheckpoint(again, decoder)), byName(read), 'written and read again');
  },
};

/** The optimizer's tensors are found by their names. */
const byName = (read: Checkpoint) => ({
  ...read,
  optimizer: Object.fromEntries(read.optimizer.map((tensor) => [tensor.name, tensor])),
});
