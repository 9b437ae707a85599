import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { batchTestPlaces, finetunePlaces, nextVersion } from '../../../src/cli/project-layout.ts';

const command = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
const before = process.cwd();
let project: string;
beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'retune-project-'));
  process.chdir(project);
});
afterEach(() => {
  process.chdir(before);
  rmSync(project, { recursive: true });
});

function put(...paths: string[]): void {
  for (const path of paths) {
    mkdirSync(dirname(path), { recursive: true });
    if (path.endsWith('/')) {
      mkdirSync(path);
    } else {
      writeFileSync(path, '');
    }
  }
}

const TRAIN = 'data/processed/train_finetune2.jsonl';
const VAL = 'data/processed/val_finetune2.jsonl';
const CONFIG = 'configs/training_config.yaml';

describe('finetune', () => {
  it('needs no options in a project laid out like the recipe', async () => {
    put('models/fine_tuned/', TRAIN, VAL, CONFIG);
    expect(await finetunePlaces({}, command)).toEqual({
      places: {
        sourceModel: 'models/fine_tuned',
        trainData: TRAIN,
        valData: VAL,
        config: CONFIG,
        output: 'models/fine_tuned_v2',
      },
      told: `From this project: --source-model models/fine_tuned --train-data ${TRAIN} --val-data ${VAL} --config ${CONFIG} --output models/fine_tuned_v2`,
    });
  });

  it('makes V3 of V2', async () => {
    put('models/fine_tuned_v2/', TRAIN);
    const { places, told } = await finetunePlaces({ sourceModel: './models/fine_tuned_v2' }, command);
    expect(places).toMatchObject({ sourceModel: './models/fine_tuned_v2', output: 'models/fine_tuned_v3' });
    expect([places.valData, places.config]).toEqual([undefined, undefined]);
    expect(told).toBe(`From this project: --train-data ${TRAIN} --output models/fine_tuned_v3`);
  });

  it('takes nothing from the project where the command line is whole', async () => {
    put('models/fine_tuned/', TRAIN, VAL, CONFIG);
    const given = { sourceModel: 'a', trainData: 'b', output: 'c' };
    expect(await finetunePlaces(given, command)).toEqual({ places: given, told: undefined });
  });

  it('does not evaluate given rows on those of the project', async () => {
    put('models/fine_tuned/', TRAIN, VAL);
    expect((await finetunePlaces({ trainData: 'mine.jsonl' }, command)).places.valData).toBeUndefined();
    const { places } = await finetunePlaces({ trainData: 'mine.jsonl', valData: 'own.jsonl' }, command);
    expect(places.valData).toBe('own.jsonl');
  });

  it('names the option that is missing elsewhere', async () => {
    const missing = (flags: string) => `required option '${flags}' not specified`;
    await expect(finetunePlaces({}, command)).rejects.toThrow(missing('--source-model <folder>'));
    put('models/fine_tuned/');
    await expect(finetunePlaces({}, command)).rejects.toThrow(missing('--train-data <file>'));
    put(TRAIN);
    await expect(finetunePlaces({ sourceModel: 'v1' }, command)).rejects.toThrow(
      missing('--output <folder>'),
    );
  });

  it.each([
    ['models/fine_tuned', 'models/fine_tuned_v2'],
    ['models/fine_tuned/', 'models/fine_tuned_v2'],
    ['./fine_tuned_v9', 'fine_tuned_v10'],
    ['models/adapter', undefined],
    ['none', undefined],
  ])('after %s comes %s', (source, next) => expect(nextVersion(source)).toBe(next));
});

describe('batch-test', () => {
  it('asks V2 the questions of the project', async () => {
    put('models/fine_tuned_v2/', 'test_questions.json');
    expect(await batchTestPlaces({}, command)).toEqual({
      places: {
        model: 'models/fine_tuned_v2',
        questions: 'test_questions.json',
        output: 'test_results_v2.json',
      },
      told: 'From this project: --model models/fine_tuned_v2 --questions test_questions.json --output test_results_v2.json',
    });
  });

  it("writes V1's answers beside V2's", async () => {
    put('test_questions.json');
    const { places } = await batchTestPlaces({ model: 'models/fine_tuned' }, command);
    expect(places.output).toBe('test_results_v1.json');
  });

  it('names the option that is missing elsewhere', async () => {
    await expect(batchTestPlaces({}, command)).rejects.toThrow("'--model <folder>' not specified");
    await expect(batchTestPlaces({ model: 'none' }, command)).rejects.toThrow("'--questions <file>'");
    put('test_questions.json');
    await expect(batchTestPlaces({ model: 'none' }, command)).rejects.toThrow("'--output <file>'");
  });
});
