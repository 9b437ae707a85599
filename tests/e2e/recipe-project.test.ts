import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// A project laid out like the recipe's, whose base is in Hugging Face's cache: no options are needed. The device is one
// that computes nothing.

const CASE = resolve('tests/fixtures/cases/recipe_text');
const NULL_GPU = `--import=${new URL('../support/use-null-webgpu.mjs', import.meta.url)}`;
const hasPython = spawnSync('python3', ['-c', '']).status === 0;

let work: string;
const inProject = (...path: string[]) => join(work, 'project', ...path);

function retune(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [resolve('dist/cli/retune.js'), ...args], {
    cwd: inProject(),
    encoding: 'utf8',
    env: {
      ...process.env,
      HF_HOME: join(work, 'hf'),
      HF_HUB_CACHE: '',
      XDG_CACHE_HOME: join(work, 'cache'),
      NODE_OPTIONS: NULL_GPU,
    },
  });
  return { code: status, stderr, lines: stdout.split('\n') };
}

beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'retune-recipe-'));
  const put = (from: string, ...to: string[]) =>
    cpSync(join(CASE, from), inProject(...to), { recursive: true });
  put('v1', 'models/fine_tuned');
  put('train.jsonl', 'data/processed/train_finetune2.jsonl');
  put('val.jsonl', 'data/processed/val_finetune2.jsonl');
  put('training_config.yaml', 'configs/training_config.yaml');
  const questions = JSON.parse(readFileSync(join(CASE, 'questions.json'), 'utf8')) as object[];
  writeFileSync(inProject('test_questions.json'), JSON.stringify(questions.slice(0, 2)));
  const model = join(work, 'hf/hub/models--toy--recipe_text');
  mkdirSync(join(model, 'refs'), { recursive: true });
  writeFileSync(join(model, 'refs/main'), 'c0ffee');
  mkdirSync(join(model, 'snapshots/c0ffee'), { recursive: true });
  cpSync(join(CASE, 'base'), join(model, 'blobs'), { recursive: true });
  for (const name of readdirSync(join(model, 'blobs'))) {
    symlinkSync(`../../blobs/${name}`, join(model, 'snapshots/c0ffee', name));
  }
});
afterAll(() => rmSync(work, { recursive: true }));

const snapshot = () => join(work, 'hf/hub/models--toy--recipe_text/snapshots/c0ffee');

describe('in a project like the recipe', () => {
  it('finetune alone makes V2, and says from what', () => {
    const { code, stderr, lines } = retune('finetune');
    expect([code, stderr]).toEqual([0, '']);
    expect(lines[0]).toBe(
      'From this project: --source-model models/fine_tuned --train-data data/processed/train_finetune2.jsonl --val-data data/processed/val_finetune2.jsonl --config configs/training_config.yaml --output models/fine_tuned_v2',
    );
    expect(lines[1]).toBe(`Base: ${snapshot()}`);
    expect(existsSync(inProject('models/fine_tuned_v2/adapter_model.safetensors'))).toBe(true);
    // The same command finds it finished.
    expect(retune('finetune').lines.join('\n')).toContain('Already finished: models/fine_tuned_v2');
  });

  it('V2 as the source makes V3, over a base named as on the Hub', () => {
    const { code, stderr } = retune(
      ...['finetune', '--source-model', './models/fine_tuned_v2', '--base', 'toy/recipe_text'],
    );
    expect([code, stderr]).toEqual([0, '']);
    expect(existsSync(inProject('models/fine_tuned_v3/adapter_model.safetensors'))).toBe(true);
  });

  it('batch-test asks V2, and V1 into a file beside, which compare', () => {
    for (const [args, file] of [
      [[], 'test_results_v2.json'],
      [['--model', 'models/fine_tuned'], 'test_results_v1.json'],
    ] as const) {
      const { code, stderr } = retune('batch-test', '--max-new-tokens', '3', ...args);
      expect([code, stderr]).toEqual([0, '']);
      expect(existsSync(inProject(file))).toBe(true);
    }
    expect(retune('compare', 'test_results_v1.json', 'test_results_v2.json').code).toBe(0);
  });

  it.runIf(hasPython)("Python compares the two files by the recipe's keys", () => {
    const snippet = `
import json

with open("test_results_v1.json", encoding="utf-8") as f:
    v1 = json.load(f)
with open("test_results_v2.json", encoding="utf-8") as f:
    v2 = json.load(f)
for name, r in (("V1", v1), ("V2", v2)):
    s = r["summary"]
    print(name, s["total_questions"], s["avg_output_tokens_per_question"], s["avg_total_tokens_per_question"])
for a, b in zip(v1["results"], v2["results"]):
    assert a["question_id"] == b["question_id"] and a["question"] == b["question"]
    print(a["topic"], a["difficulty"], a["expected_answer"], a["model_answer"], b["model_answer"],
          b["token_usage"]["output_tokens"] - a["token_usage"]["output_tokens"])
`;
    const said = execFileSync('python3', ['-c', snippet], {
      cwd: inProject(),
      encoding: 'utf8',
      env: { ...process.env, PYTHONIOENCODING: 'utf-8' },
    });
    expect(said).toMatch(/^V1 2 \d+(\.\d+)? \d+(\.\d+)?\nV2 2 /);
    expect(said.match(/^parts easy /gm)).toHaveLength(2);
  });

  it('a base that is nowhere is named', () => {
    const { code, stderr } = retune('batch-test', '--base', 'toy/other');
    expect(code).toBe(2);
    expect(stderr).toBe(
      `toy/other: no such folder, and no such model in Hugging Face's cache (${join(work, 'hf/hub')}); check the path, or download the model with "hf download toy/other".\n`,
    );
    rmSync(join(work, 'hf'), { recursive: true });
    const unnamed = retune('batch-test', '--output', 'other.json');
    expect(unnamed.stderr).toBe(
      `retune batch-test: --base is missing, and "toy/recipe_text" is neither a folder nor in Hugging Face's cache (${join(work, 'hf/hub')}); name the base's folder.\n`,
    );
    const fresh = retune('finetune', '--output', 'elsewhere');
    expect(fresh.stderr).toBe(
      `retune finetune: --base is missing, and elsewhere holds no run to resume, and "toy/recipe_text" is neither a folder nor in Hugging Face's cache (${join(work, 'hf/hub')}); name the base's folder.\n`,
    );
  });
});

describe('train_v2.ps1 and train_v2.bat', () => {
  const scripts = ['ps1', 'bat'].map((kind) => readFileSync(`scripts/train_v2.${kind}`, 'utf8'));

  it('start a command line that is there, and say where Node comes from', () => {
    for (const text of scripts) {
      const places = [...text.matchAll(/(?:root|%ROOT%)\\((?:src|dist)\\[\w\\.]+)/gi)].map(([, path]) =>
        path!.replaceAll('\\', '/'),
      );
      expect([...new Set(places)]).toEqual(['src/cli/launch.mjs', 'dist/cli/retune.js']);
      expect(places.every((path) => existsSync(path))).toBe(true);
      expect(text).toContain('https://nodejs.org');
    }
  });

  it('the batch file has the line ends that cmd needs', () => {
    expect(
      scripts[1]!
        .split('\n')
        .slice(0, -1)
        .every((line) => line.endsWith('\r')),
    ).toBe(true);
  });
});
