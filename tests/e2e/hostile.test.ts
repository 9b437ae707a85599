import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Scene } from '../support/scene.ts';

// Hostile files through the command line, on a device that computes almost nothing. tests/unit and tests/fuzz show
// what each reader makes of many more of them.

const CLI = resolve('dist/cli/retune.js');
const NULL_DEVICE = `--import=${new URL('../support/use-null-webgpu.mjs', import.meta.url).href}`;

let scene: Scene;
beforeEach(() => void (scene = new Scene()));
afterEach(() => scene.close());

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** A command that hangs is killed, and then fails by its exit code. */
const PATIENCE_MS = 30_000;

function retune(args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  const env = { ...process.env, XDG_CACHE_HOME: scene.path('cache'), ...options.env };
  return new Promise<Ended>((done) =>
    execFile(
      process.execPath,
      [NULL_DEVICE, CLI, ...args],
      { ...options, env, timeout: PATIENCE_MS, maxBuffer: 2 ** 26 },
      (error, stdout, stderr) =>
        done({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr }),
    ),
  );
}

/** Expects one sentence, and nothing written. */
function refusal({ code, stdout, stderr }: Ended): string {
  expect([code, stderr]).toEqual([2, expect.stringMatching(/^[^\n]+\.\n$/)]);
  expect(stdout + stderr).not.toMatch(/\n\s+at |bug|undefined|\[object/);
  expect(['v2', 'answers.json'].filter((name) => scene.exists(name))).toEqual([]);
  return stderr.replaceAll(scene.folder, '~').trimEnd();
}

const rows = () => ['rows', '--base', scene.path('base'), '--train-data', scene.path('train.jsonl')];
const plan = () => ['plan', '--base', scene.path('base'), '--model', scene.path('v1')];
const inspect = (...parts: string[]) => ['inspect', scene.path(...parts)];
const batchTest = () => [
  ...['batch-test', '--base', scene.path('base'), '--model', scene.path('v1'), '--greedy'],
  ...['--questions', scene.path('questions.json'), '--output', scene.path('answers.json')],
];

describe('a text that is cut off or badly escaped', () => {
  const whole = readFileSync('tests/fixtures/hostile/truncated.jsonl', 'utf8').trimEnd();

  it.each([
    ['cut', whole, 'a string has no closing quote'],
    ['with a raw newline inside', `${whole}\nmore"}`, 'a string has no closing quote'],
    ['with an escape that is none', `${whole}\\x"}`, 'a backslash before "x" is no escape of JSON'],
  ])('is refused as rows and as questions: %s', async (_, text, problem) => {
    for (const [file, args] of [
      ['train.jsonl', rows()],
      ['questions.json', batchTest()],
    ] as const) {
      scene.write(file, text);
      const told = refusal(await retune(args));
      expect(told).toMatch(new RegExp(`^~/${file}, line 1: not valid JSON at column \\d+: `));
      expect(told).toContain(problem);
    }
  });

  it('is read where its ten million escapes are right, though no tokenizer takes them in one piece', async () => {
    scene.write('train.jsonl', `{"text": "${'\\n'.repeat(1e7)}"}\n`);
    expect(refusal(await retune(rows()))).toContain('a text of 10,000,000 characters in one piece');
  });
});

it('safetensors files are judged as the reference reader judges them', async () => {
  const file = (name: string) => ['inspect', `tests/fixtures/hostile/${name}.safetensors`];
  for (const name of ['depth-128', 'lone-surrogate', 'minus-zero']) {
    expect(refusal(await retune(file(`accepted-${name}`)))).toContain(`accepted-${name}.safetensors: `);
  }
  expect(await retune(file('refused-metadata-null'))).toMatchObject({ code: 0, stderr: '' });
});

describe('programs in files do no more work than a model needs', () => {
  it('a chat template', async () => {
    scene.write('base/chat_template.jinja', '{% for i in range(1000000000) %}x{% endfor %}');
    for (const args of [rows(), scene.finetune(), inspect('base')]) {
      expect(refusal(await retune(args))).toMatch(
        /(?=.*~\/base\/chat_template\.jinja, line 1).*Range too big/,
      );
    }
  });

  it("a tokenizer's expression", async () => {
    const { json } = changedTokenizer();
    json.pre_tokenizer = {
      type: 'Split',
      pattern: { Regex: '(a+)+b' },
      behavior: 'Isolated',
      invert: false,
    };
    scene.write('base/tokenizer.json', JSON.stringify(json));
    scene.write('train.jsonl', `{"text": "${'a'.repeat(40)}"}\n`.repeat(2));
    expect(refusal(await retune(rows()))).toBe(
      "~/train.jsonl, line 1: ~/base/tokenizer.json cannot be used on this (its expressions take too much work on a text); take it from the base model's repository again, or shorten the text.",
    );
  });

  it.each([
    ['that never ends', '(([a-z._0-9]+)+)+!'],
    ['of 100 KB', 'q_proj|'.repeat(15_000)],
  ])("an adapter's expression %s", async (_, target_modules) => {
    scene.json('v1/adapter_config.json', { target_modules });
    for (const args of [plan(), scene.finetune(), inspect('v1')]) {
      expect(refusal(await retune(args))).toMatch(/^~\/v1\/adapter_config\.json: target_modules /);
    }
  });

  it.each([3_000_000, 2 ** 32])('%d layers that the files do not hold', async (layers) => {
    scene.json('base/config.json', { num_hidden_layers: layers });
    for (const args of [plan(), inspect('base')]) {
      expect(refusal(await retune(args))).toMatch(
        new RegExp(`^~/base/config\\.json: num_hidden_layers is ${layers}, .* 2 layers`),
      );
    }
  });
});

/** The tokenizer of the scene's base, to be broken. */
function changedTokenizer() {
  const json = JSON.parse(readFileSync(scene.path('base/tokenizer.json'), 'utf8')) as {
    pre_tokenizer: unknown;
    post_processor: unknown;
    added_tokens: { id: unknown; content: string }[];
  };
  return { json, added: json.added_tokens };
}

describe('a tokenizer', () => {
  const write = (json: unknown) => scene.write('base/tokenizer.json', JSON.stringify(json));

  it.each([-1, 1.5, '7', 4294967295])('has no token of id %j', async (id) => {
    const { json, added } = changedTokenizer();
    added[0]!.id = id;
    write(json);
    expect(refusal(await retune(inspect('base')))).toMatch(
      new RegExp(`^~/base/tokenizer\\.json: .*${JSON.stringify(id).replaceAll('"', '.')}`),
    );
  });

  it('has no id twice, and names no token that it lacks', async () => {
    const { json, added } = changedTokenizer();
    added[0]!.id = added[1]!.id;
    write(json);
    expect(refusal(await retune(inspect('base')))).toMatch(/^~\/base\/tokenizer\.json: .*446/);
    const { json: other } = changedTokenizer();
    added[0]!.id = 445;
    other.added_tokens = added;
    other.post_processor = {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<absent>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: {},
    };
    write(other);
    expect(refusal(await retune(inspect('base')))).toMatch(/^~\/base\/tokenizer\.json: .*<absent>/);
  });

  it('may have a token past the embedding, which is refused only where it is used', async () => {
    const { json, added } = changedTokenizer();
    added.push({ ...added[0]!, id: 448, content: '<past>' });
    write(json);
    const { code, stdout } = await retune(inspect('base'));
    expect(code).toBe(0);
    expect(stdout).toContain('tokenizer.json has ids up to 448, but the embedding has 448 rows');
    expect(await retune([...scene.finetune({ output: scene.path('out') })])).toMatchObject({
      code: 0,
      stderr: '',
    });
    scene.write('train.jsonl', `{"text": "Look: <past>"}\n`);
    expect(refusal(await retune(scene.finetune()))).toMatch(/^~\/train\.jsonl, line 1: .*448/);
  });
});

it('no byte of a file reaches the terminal raw, nor more than 200 of them in one piece', async () => {
  const evil = 'a\u001b[31mb\u009bc\u202ed';
  const shown = 'a\\u001b[31mb\\u009bc\\u202ed';
  // eslint-disable-next-line no-control-regex -- these are what the test looks for
  const raw = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;
  const long = `${evil}${'x'.repeat(5000)}`;
  const both = async (args: readonly string[], finds = shown) => {
    const { stdout, stderr } = await retune(args);
    expect(stdout + stderr).toContain(finds);
    expect(stdout + stderr).not.toMatch(raw);
    expect(stdout + stderr).not.toMatch(/x{201}/);
  };
  await scene.tensors('v1/adapter_model.safetensors', (tensors) => [
    ...tensors,
    { ...tensors[0]!, name: long },
  ]);
  scene.header('v1/adapter_model.safetensors', (text) =>
    text.replace(/"__metadata__":\{[^}]*\}/, `"__metadata__":${JSON.stringify({ [long]: long })}`),
  );
  await both(inspect('v1/adapter_model.safetensors'));
  await both(inspect('v1'));
  await both(scene.finetune());
  scene.json('v1/adapter_config.json', { base_model_name_or_path: long, target_modules: [long] });
  await both(inspect('v1'));
  scene.write('training_config.yaml', `training:\n  ${JSON.stringify(evil + 'x'.repeat(500))}: 1\n`);
  await both(scene.finetune());
  await both(inspect(`${evil}.safetensors`));
  const used = { input_tokens: 1, output_tokens: 1, total_tokens: 2 };
  const answer = { question: evil, expected_answer: evil, model_answer: 'x', topic: long, token_usage: used };
  const result = { summary: { model_path: long }, results: [answer] };
  scene.write('results.json', JSON.stringify(result));
  scene.write('worse.json', JSON.stringify({ ...result, results: [{ ...answer, model_answer: evil }] }));
  await both(['compare', scene.path('worse.json'), scene.path('results.json')]);
});

it('of two runs that start into one output at once, with other rows, one is refused', async () => {
  scene.write('other.jsonl', readFileSync(scene.path('train.jsonl'), 'utf8').replaceAll('fuse', 'plug'));
  const [a, b] = await Promise.all([
    retune(scene.finetune()),
    retune(scene.finetune({ 'train-data': scene.path('other.jsonl') })),
  ]);
  const refused = a.code === 0 ? b : a;
  expect([a.code, b.code].toSorted()).toEqual([0, 2]);
  const who = `another run writes there, process \\d+ on the host "${hostname()}" since `;
  expect(refused.stderr).toMatch(new RegExp(`^\\S+v2: ${who}|started with other inputs: changed the rows`));
  expect(scene.exists('v2/adapter_model.safetensors')).toBe(true);
});

// Linux has this device, which is always full.
it.runIf(existsSync('/dev/full'))(
  'a run whose stdout takes nothing ends in a sentence, and goes on elsewhere',
  async () => {
    const child = spawn(
      'sh',
      ['-c', 'exec "$@" > /dev/full', 'sh', process.execPath, NULL_DEVICE, CLI, ...scene.finetune()],
      { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, XDG_CACHE_HOME: scene.path('cache') } },
    );
    let stderr = '';
    child.stderr.on('data', (text) => (stderr += String(text)));
    const code = await new Promise((done) => child.on('close', done));
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/^stdout cannot be written, since its disk is full \(ENOSPC\)[^\n]+\.\n$/),
    ]);
    const left = scene.exists('v2') ? readdirSync(scene.path('v2')) : [];
    expect(left.filter((name) => !/^(?:checkpoint-\d+|logs)$/.test(name))).toEqual([]);
    const again = await retune(scene.finetune());
    expect([again.code, again.stderr]).toEqual([0, '']);
  },
);

it('a missing start folder is reported if a path depends on it', async () => {
  const gone = mkdtempSync(join(tmpdir(), 'retune-gone-'));
  const files = ['compare', scene.path('a'), scene.path('b')];
  const line = 'rmdir "$0" && exec "$@"';
  const run = (args: readonly string[]) =>
    new Promise<Ended>((done) =>
      execFile(
        'sh',
        ['-c', line, gone, process.execPath, CLI, ...args],
        { cwd: gone, env: { ...process.env, XDG_CACHE_HOME: scene.path('cache') } },
        (error, stdout, stderr) => done({ code: Number(error?.code ?? 0), stdout, stderr }),
      ),
    );
  expect(refusal(await run([...files, '--csv', 'out.csv']))).toBe(
    'retune: the folder in which this command was started no longer exists; change to one that does.',
  );
});

it('a user without a home folder has no cache, and needs none', async () => {
  const env = { HOME: '', XDG_CACHE_HOME: undefined };
  const { code, stdout } = await retune(scene.finetune({ output: scene.path('out') }), {
    env,
    cwd: scene.folder,
  });
  expect([code, stdout.includes('Finished')]).toEqual([0, true]);
  expect(refusal(await retune(['cache', 'list'], { env, cwd: scene.folder }))).toBe(
    'retune cache: there is no home folder, so the cache has no default place; name one in --base-cache or XDG_CACHE_HOME.',
  );
  expect(readdirSync(scene.folder)).not.toContain('.cache');
});
