import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, symlinkSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BatchTestFile } from '../../src/comparison/results.ts';
import { type CommandResult, retune as retuneInProcess } from '../support/cli.ts';
import { retuneHere } from '../support/cli-here.ts';
import { withRefused } from '../support/refuse-calls.ts';
import { Scene } from '../support/scene.ts';

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene.close());

/** A command of the command line; in a process of its own only where its environment is another. */
const retune = (args: readonly string[], env?: NodeJS.ProcessEnv): Promise<CommandResult> =>
  env ? retuneInProcess(args, env) : retuneHere(args);

/**
 * Checks what every refusal must have: exit code 2 and one sentence on stderr, without a stack trace. Returns the
 * sentence.
 */
function refusal({ code, stdout, stderr }: CommandResult): string {
  expect(stderr).toMatch(/^[^\n]+\.\n$/);
  expect(stderr + stdout).not.toMatch(/\n\s+at |Error:|undefined|\[object|bug/);
  expect([code, stderr]).toEqual([2, stderr]);
  return stderr.replaceAll(scene.folder, '~').trimEnd();
}

/** The refusal of a fine-tuning that ends before a device is opened, with nothing written. */
async function refusedRun(options: Record<string, string | undefined> = {}): Promise<string> {
  const result = await retune(scene.finetune(options));
  const sentence = refusal(result);
  expect(result.stdout).not.toContain('GPU');
  expect(scene.exists('v2')).toBe(false);
  return sentence;
}

const BASE = 'base/model.safetensors';
const V1 = 'v1/adapter_model.safetensors';

describe('files that are not there', () => {
  it.each([
    [{ base: 'nowhere' }, 'nowhere: no such folder; check the path.'],
    [{ 'source-model': 'nowhere/v1' }, 'nowhere/v1: no such folder; check the path.'],
    [{ 'train-data': 'nowhere.jsonl' }, 'nowhere.jsonl: no such file; check the path.'],
    [{ 'val-data': 'nowhere.jsonl' }, 'nowhere.jsonl: no such file; check the path.'],
    [{ config: 'nowhere.yaml' }, 'nowhere.yaml: no such file; check the path.'],
    [
      { base: 'package.json' },
      'package.json: expected a folder, found a file; name the folder that holds it.',
    ],
    [{ 'train-data': 'src' }, 'src: expected a file, found a folder; name the file itself.'],
    [{ config: 'src' }, 'src: expected a file, found a folder; name the file itself.'],
  ])('are named: %o', async (options, sentence) => expect(await refusedRun(options)).toBe(sentence));

  it.each([
    ['base/config.json', '~/base: config.json is missing, expected the folder of a Hugging Face base model'],
    [
      BASE,
      '~/base: neither model.safetensors nor model.safetensors.index.json is there, expected the folder',
    ],
    ['base/tokenizer.json', "~/base: tokenizer.json is missing; copy it from the base model's repository"],
    ['v1/adapter_config.json', '~/v1: adapter_config.json is missing, expected the folder of a PEFT LoRA'],
    [V1, '~/v1: adapter_model.safetensors is missing, expected the folder of a PEFT LoRA adapter; choose'],
  ])('are missed in their folder: %s', async (file, sentence) => {
    scene.remove(file);
    expect(await refusedRun()).toContain(sentence);
  });
});

describe('what may not be read', () => {
  const refused = async (call: Parameters<typeof withRefused>[0], at: string, code: string, args: string[]) =>
    refusal(await withRefused(call, scene.path(at), code, () => retune(args)));

  it.each(['EACCES', 'EPERM'])('is not called missing: %s', async (code) => {
    const tail = `cannot be opened (${code}); check that you may read it.`;
    const [base, v1] = [scene.path('base'), scene.path('v1')];
    const first = `~/base/config.json: ${tail}`;
    expect(await refused('open', BASE, code, ['inspect', scene.path(BASE)])).toBe(`~/${BASE}: ${tail}`);
    expect(await refused('stat', BASE, code, ['inspect', scene.path(BASE)])).toBe(`~/${BASE}: ${tail}`);
    expect(await refused('stat', 'v1/', code, ['inspect', v1])).toBe(`~/v1/adapter_config.json: ${tail}`);
    expect(await refused('stat', 'base', code, ['plan', '--base', base])).toBe(`~/base: ${tail}`);
    expect(await refused('open', 'base/', code, ['plan', '--base', base])).toBe(first);
    expect(await refused('stat', 'base/', code, scene.finetune())).toBe(first);
    expect(await refused('stat', 'train.jsonl', code, scene.finetune())).toBe(`~/train.jsonl: ${tail}`);
    expect(await refused('readdir', 'v2', code, scene.finetune())).toBe(`~/v2: ${tail}`);
    scene.remove('v1/adapter_config.json');
    expect(await refused('readdir', 'v1', code, ['inspect', v1])).toBe(`~/v1: ${tail}`);
    expect(scene.exists('v2')).toBe(false);
  });

  it('is the folder of an output or of the cache', async () => {
    const batch = ['batch-test', '--base', scene.path('base'), '--model', 'none'].concat([
      ...['--questions', scene.path('questions.json'), '--output', scene.path('v2/answers.json')],
    ]);
    mkdirSync(scene.path('v2'));
    expect(await refused('access', 'v2', 'EACCES', batch)).toBe(
      '~/v2: nothing can be written into ~/v2 (EACCES); check its permissions or choose another --output.',
    );
    for (const args of [['list'], ['delete', 'all']]) {
      expect(
        await refused('readdir', 'v2', 'EACCES', ['cache', ...args, '--base-cache', scene.path('v2')]),
      ).toBe(
        'retune cache: nothing can be done there, since ~/v2 refuses it (EACCES); check its permissions or name another --base-cache.',
      );
    }
  });

  it('is a disk that fails', async () =>
    expect(await refused('open', BASE, 'EIO', ['inspect', scene.path(BASE)])).toBe(
      `~/${BASE}: cannot be read (EIO); check the path and its disk.`,
    ));

  it('is a link to itself', async () => {
    symlinkSync(scene.path('loop'), scene.path('loop'));
    const loop = scene.path('loop');
    for (const args of [
      ['inspect', loop],
      ['plan', '--base', loop],
      ...['base', 'train-data', 'config', 'output'].map((option) => scene.finetune({ [option]: loop })),
    ]) {
      expect(refusal(await retune(args))).toBe(
        '~/loop: is a chain of links that ends nowhere; name what the links were to lead to.',
      );
    }
  });
});

describe('what is neither a file nor a folder', () => {
  const neither = 'something that is neither a file nor a folder';

  it('is called so: a pipe, a device', async () => {
    execFileSync('mkfifo', [scene.path('pipe')]);
    for (const [path, name] of [
      [scene.path('pipe'), '~/pipe'],
      ['/dev/null', '/dev/null'],
    ] as const) {
      const file = `${name}: expected a file, found ${neither}; name a file on a disk.`;
      expect(refusal(await retune(['inspect', path]))).toBe(file);
      expect(await refusedRun({ 'train-data': path })).toBe(file);
      expect(await refusedRun({ base: path })).toBe(
        `${name}: expected a folder, found ${neither}; name a folder.`,
      );
      expect(await refusedRun({ output: path })).toBe(
        `${name}: expected a folder for the output, found ${neither}; choose another --output.`,
      );
    }
    scene.remove('base/config.json');
    execFileSync('mkfifo', [scene.path('base/config.json')]);
    expect(await refusedRun()).toBe(
      `~/base/config.json: expected a file, found ${neither}; name a file on a disk.`,
    );
  });
});

describe('a broken safetensors file', () => {
  const cut = (bytes: Buffer, by: number) => bytes.subarray(0, bytes.length - by);
  /** Gives the first tensor that `which` accepts a different range. */
  const ranges = (
    file: string,
    change: (begin: number, end: number) => [number, number],
    which: (begin: number) => boolean = () => true,
  ) => {
    let done = false;
    scene.header(file, (text) =>
      text.replace(/"data_offsets":\[(\d+),(\d+)\]/g, (range, begin, end) => {
        if (done || !which(Number(begin))) {
          return range;
        }
        done = true;
        return `"data_offsets":[${change(Number(begin), Number(end)).join(',')}]`;
      }),
    );
  };

  it.each<[string, (file: string) => void, RegExp]>([
    ['empty', (file) => scene.write(file, ''), /: not a safetensors file: 0 bytes cannot hold a header; /],
    [
      'a text',
      (file) => scene.write(file, 'This is not a model.'),
      /header claims \d+ bytes, more than the /,
    ],
    [
      'cut short',
      (file) => scene.bytes(file, (b) => cut(b, 99)),
      /the tensors end at byte \d+, but the file at /,
    ],
    [
      'cut in its header',
      (file) => scene.bytes(file, (b) => b.subarray(0, 50)),
      /but only 42 follow; the file is/,
    ],
    [
      'with bytes at its end',
      (file) => scene.bytes(file, (b) => Buffer.concat([b, b.subarray(0, 9)])),
      /9 bytes follow the last tensor/,
    ],
    [
      'with a header of 100 MB',
      (file) => scene.bytes(file, (b) => Buffer.concat([Buffer.from('01e1f50500000000', 'hex'), b])),
      /the safetensors header claims 100000001 bytes, more than the 100000000 that are allowed/,
    ],
    [
      'with a gap',
      (file) =>
        ranges(
          file,
          (b, e) => [b + 4, e + 4],
          (b) => b === 0,
        ),
      /a gap of 4 bytes before the data of/,
    ],
    [
      'with overlapping tensors',
      (file) =>
        ranges(
          file,
          (b, e) => [b - 4, e - 4],
          (b) => b > 0,
        ),
      /the data of \S+ overlaps the tensor before it/,
    ],
    [
      'with a size that is wrong',
      (file) => ranges(file, (b, e) => [b, e + 4]),
      /holds \d+ bytes, but (BF16|F32) \[.*\] takes \d+/,
    ],
    [
      'with a reversed range',
      (file) =>
        ranges(
          file,
          (b, e) => [e, b],
          (b) => b > 0,
        ),
      /ends at \d+, before its begin at \d+/,
    ],
    [
      'with an unknown dtype',
      (file) => scene.header(file, (t) => t.replace(/"(BF16|F32)"/, '"F99"')),
      /has the unknown dtype "F99"/,
    ],
    [
      'with a header that is not JSON',
      (file) => scene.header(file, (t) => t.replace(':', ';')),
      /header is not valid JSON at byte \d+/,
    ],
    [
      'with a tensor twice',
      (file) => scene.header(file, (t) => t.replace(/^\{("[^"]+":\{[^}]*\})/, '{$1,$1')),
      /the key .* occurs twice/,
    ],
  ])('is refused: %s', async (_, damage, sentence) => {
    for (const file of [BASE, V1]) {
      damage(file);
      const found = await refusedRun();
      expect(found).toMatch(sentence);
      expect(found).toMatch(new RegExp(`^~/${file}: .*; .*download or export the file again\\.$`));
      scene.close();
      scene = new Scene();
    }
  });
});

describe('a pickle', () => {
  const sentence = (file: string) =>
    `~/${file}: this is a PyTorch pickle, and pickle files are never opened because they can run code; expected .safetensors, so convert it or download the safetensors version.`;

  it.each(['.bin', '.pt', '.pth', '.ckpt', '.pkl'])('is known by its name: %s', async (ending) => {
    scene.write(`base/pytorch_model${ending}`, 'never read');
    scene.remove(BASE);
    expect(await refusedRun()).toBe(sentence(`base/pytorch_model${ending}`));
    scene.close();
    scene = new Scene();
    scene.write(`v1/adapter_model${ending}`, 'never read');
    scene.remove(V1);
    expect(await refusedRun()).toBe(sentence(`v1/adapter_model${ending}`));
  });

  it.each([
    ['a zip archive', Buffer.from('504b0304140000000800', 'hex')],
    ['a bare pickle', Buffer.from('80027d71002e00000000', 'hex')],
  ])('is known by its magic: %s', async (_, bytes) => {
    scene.write(V1, bytes);
    expect(await refusedRun()).toBe(sentence(V1));
    scene.write(BASE, bytes);
    expect(await refusedRun()).toBe(sentence(BASE));
  });
});

it('a pickle that an index names is refused with its folder and the index', async () => {
  scene.remove(BASE);
  scene.write('base/model.safetensors.index.json', '{"weight_map": {"x": "pytorch_model-1.bin"}}');
  expect(await refusedRun()).toMatch(
    /^~\/base\/pytorch_model-1\.bin, which model\.safetensors\.index\.json names: this is a PyTorch pickle, and /,
  );
});

describe('a base of another kind', () => {
  it('is quantized as fp4', async () => {
    scene.close();
    scene = new Scene('prequant');
    scene.header(BASE, (text) => text.replaceAll('bitsandbytes__nf4', 'bitsandbytes__fp4'));
    expect(await refusedRun()).toMatch(
      /^~\/base\/model.safetensors: model\.layers\.0\.self_attn\.q_proj\.weight is quantized as fp4, expected nf4; choose/,
    );
  });

  it.each([
    [
      { architectures: ['MistralForCausalLM'] },
      'architectures is ["MistralForCausalLM"], expected one of Qwen2',
    ],
    [{ hidden_act: 'gelu' }, 'hidden_act is "gelu", expected silu'],
    [{ use_sliding_window: true }, 'use_sliding_window is true, expected false'],
    [
      { quantization_config: { quant_method: 'gptq' } },
      'quantization_config.quant_method is "gptq", expected',
    ],
    [{ hidden_size: 'wide' }, 'hidden_size is "wide", expected a whole number at least 1'],
    [{ num_hidden_layers: 0 }, 'num_hidden_layers is 0, expected a whole number at least 1'],
  ])('has a configuration with %o', async (change, sentence) => {
    scene.json('base/config.json', change);
    expect(await refusedRun()).toContain(`~/base/config.json: ${sentence}`);
  });

  it('lacks a tensor, or has one of another shape', async () => {
    await scene.tensors(BASE, (tensors) => tensors.filter(({ name }) => name !== 'model.norm.weight'));
    expect(await refusedRun()).toMatch(
      /^~\/base: the tensor model\.norm\.weight is missing, expected BF16, F16/,
    );
    scene.json('base/config.json', { intermediate_size: 32 });
    expect(await refusedRun()).toMatch(
      /^~\/base\/model\.safetensors: model\.layers\.0\.mlp\.\S+ is \w+ \[.*\], expected .* \[32, 128\]/,
    );
  });
});

describe('an adapter that is not plain LoRA for this base', () => {
  it.each([
    { use_dora: true },
    { modules_to_save: ['lm_head'] },
    { bias: 'all' },
    { lora_bias: true },
    { layer_replication: [[0, 1]] },
    { fan_in_fan_out: true },
    { trainable_token_indices: [1] },
    { target_parameters: ['x'] },
    { init_lora_weights: 'pissa' },
    { init_lora_weights: 'pissa_niter_16' },
    { init_lora_weights: 'olora' },
    { init_lora_weights: 'corda' },
    { init_lora_weights: 'loftq' },
    { peft_type: 'IA3' },
    { r: 0 },
    { lora_alpha: 'big' },
    { target_modules: [] },
    { target_modules: 'lm_head' },
    { target_modules: ['wq'] },
  ])('is refused by the name of the option: %o', async (option) => {
    scene.json('v1/adapter_config.json', option);
    const [key, value] = Object.entries(option)[0]!;
    const sentence = await refusedRun();
    expect(sentence).toMatch(new RegExp(`^~/v1/adapter_config\\.json: ${key} is .*, expected .*; `));
    expect(sentence).toContain(`${key} is ${JSON.stringify(value)}`);
  });

  it('has a tensor too many or too few, or one of another shape', async () => {
    const edit = (change: Parameters<Scene['tensors']>[1]) => {
      scene.close();
      scene = new Scene();
      return scene.tensors(V1, change);
    };
    await edit((tensors) => tensors.slice(1));
    expect(await refusedRun()).toMatch(
      /^~\/v1\/adapter_model\.safetensors: the tensor base_model\.\S+\.lora_A\.weight is missing, expected \[8, 128\]; /,
    );
    await edit((tensors) => [
      ...tensors,
      { ...tensors[0]!, name: tensors[0]!.name.replace('q_proj', 'k_proj') },
    ]);
    expect(await refusedRun()).toMatch(
      /: the tensor base_model\.\S+ \[8, 128\] has no place in the base as /,
    );
    await edit(([first, ...rest]) => [{ ...first!, shape: [4, 256] }, ...rest]);
    expect(await refusedRun()).toMatch(
      /: base_model\.\S+ is \[4, 256\], expected \[8, 128\]; the adapter belongs to/,
    );
    scene.close();
    scene = new Scene();
    scene.json('v1/adapter_config.json', { r: 16 });
    expect(await refusedRun()).toMatch(
      / is \[8, 128\], expected \[16, 128\]; its rank is not that of adapter_con/,
    );
  });
});

describe('rows', () => {
  const user = { role: 'user', content: 'Hi' };
  const good = JSON.stringify({ messages: [user, { role: 'assistant', content: 'Hello' }] });

  it.each<[string, string | Uint8Array, string]>([
    ['none', '', 'there are no rows in it; write one JSON object per line.'],
    ['blank lines', '\n\n', 'there are no rows in it; write one JSON object per line.'],
    [
      'half a character of UTF-16',
      Buffer.from('\ufeff{\ud800{', 'utf16le'),
      'not valid UTF-16, as its first bytes say that it is; save the file as UTF-8.',
    ],
    [
      'bad UTF-8',
      Buffer.concat([Buffer.from(`${good}\n`), Buffer.from('{"text": "\xff"}', 'latin1')]),
      'line 2: not valid UTF-8; save the file as UTF-8.',
    ],
    ['bad JSON', `${good}\n\n{"text": }\n`, 'line 3: not valid JSON at column 10: '],
    ['not objects', `${good}\n["Hi"]`, 'line 2: found a list, expected a JSON object such as {"text": "…"}'],
    ['unknown keys', '{"txt": "Hi"}', 'line 1: '],
    ['an unknown role', JSON.stringify({ messages: [{ role: 'oracle', content: 'Hi' }] }), 'line 1: '],
    [
      'no trained token',
      JSON.stringify({ messages: [user] }),
      'nothing to train on, since none of its 1 rows has a trained token (line 1',
    ],
    [
      'two forms',
      `${good}\n{"text": "Hi"}`,
      'line 2: found a row of the form "text" after rows of the form "messages"',
    ],
  ])('are refused with their line: %s', async (_, content, sentence) => {
    scene.write('train.jsonl', content);
    expect(await refusedRun()).toContain(
      `~/train.jsonl${sentence.startsWith('line') ? ', ' : ': '}${sentence}`,
    );
    scene.write('train.jsonl', good);
    scene.write('val.jsonl', content);
    expect(await refusedRun({ 'val-data': scene.path('val.jsonl') })).toContain('~/val.jsonl');
  });

  it('name the unknown role', async () => {
    scene.write('train.jsonl', JSON.stringify({ messages: [{ role: 'oracle', content: 'Hi' }] }));
    expect(await refusedRun()).toMatch(/^~\/train\.jsonl, line 1: .*"oracle".*\.$/);
  });
});

describe('a configuration file', () => {
  it.each([
    ['training: {num_train_epochs: many}', 'training.num_train_epochs is "many", expected a number above 0'],
    ['training: {learning_rate: -1}', 'training.learning_rate is -1, expected a number above 0'],
    [
      'training: {gradient_accumulation_steps: 0}',
      'training.gradient_accumulation_steps is 0, expected a whole',
    ],
    ['training: {warmup_ratio: 2}', 'training.warmup_ratio is 2, expected a number at least 0 and at most 1'],
    [
      'training: {lr_scheduler_type: warm}',
      'training.lr_scheduler_type is "warm", expected one of linear, cosine',
    ],
    ['training: {optim: sgd}', 'training.optim is "sgd", expected one of paged_adamw_8bit'],
    ['training: 5', 'training is 5, expected keys and values'],
    ['quantization: {load_in_4bit: false}', 'quantization.load_in_4bit is false, expected true'],
    ['quantization: {bnb_4bit_quant_type: fp4}', 'quantization.bnb_4bit_quant_type is "fp4", expected nf4'],
    ['lora: {lora_dropout: 1}', 'lora.lora_dropout is 1, expected a number at least 0 and below 1'],
    ['seed: -1', 'seed is -1, expected a whole number at least 0'],
    ['just text', 'it holds "just text", expected keys and values'],
    ['a: [1', 'not valid YAML: '],
  ])('is refused by its key: %s', async (yaml, sentence) => {
    scene.write('training_config.yaml', yaml);
    expect(await refusedRun()).toContain(`~/training_config.yaml: ${sentence}`);
  });
});

describe('an output', () => {
  it('is never the source model or the base, nor in one of them', async () => {
    symlinkSync(scene.path('v1'), scene.path('link'));
    const before = readdirSync(scene.path('v1'));
    const tail = 'which is never written to; choose another --output.';
    for (const [output, what] of [
      ['v1', 'is also the source model'],
      ['v1/', 'is also the source model'],
      ['link', 'is also the source model'],
      ['v1/new/v2', `lies inside the source model, ~/v1`],
      ['base', 'is also the base model'],
      ['.', 'holds the base model, ~/base'],
    ] as const) {
      expect(await refusedRun({ output: `${scene.folder}/${output}` })).toBe(
        `~/${output}: the output ${what}, ${tail}`,
      );
    }
    expect(readdirSync(scene.path('v1'))).toEqual(before);
  });

  it('leads to nothing that is read by its links, nor does the cache', async () => {
    mkdirSync(scene.path('out'));
    symlinkSync(scene.path('v1'), scene.path('out/logs'));
    mkdirSync(scene.path('rows'));
    symlinkSync(scene.path('train.jsonl'), scene.path('rows/train.jsonl'));
    renameSync(scene.path('train.jsonl'), scene.path('rows/real.jsonl'));
    symlinkSync(scene.path('rows/real.jsonl'), scene.path('train.jsonl'));
    const before = snapshot();
    for (const [options, sentence] of [
      [
        { output: scene.path('out') },
        '~/out/logs: this link is also the source model, which is never written to; remove the link, or choose another --output.',
      ],
      [
        { output: scene.path('rows') },
        '~/rows: the output holds the rows to train on, ~/train.jsonl, which is never written to; choose another --output.',
      ],
      [
        { 'base-cache': scene.path('v1/cache') },
        '~/v1/cache: the cache lies inside the source model, ~/v1, which is never written to; choose another --base-cache.',
      ],
      [
        { 'base-cache': scene.path('v2/cache') },
        '~/v2/cache: the cache lies inside the output, ~/v2; choose another --base-cache.',
      ],
    ] as const) {
      expect(await refusedRun(options)).toBe(sentence);
    }
    expect(snapshot()).toEqual(before);
  });

  it('is not a file', async () => {
    expect(await refusedRun({ output: scene.path('train.jsonl') })).toBe(
      '~/train.jsonl: expected a folder for the output, found a file; choose another --output.',
    );
  });
});

describe('a machine', () => {
  it('without any GPU', async () => {
    for (const args of [
      scene.finetune(),
      ['batch-test', '--base', scene.path('base'), '--model', 'none', '--prompt', 'chat'].concat([
        '--questions',
        scene.path('questions.json'),
        '--output',
        scene.path('answers.json'),
      ]),
    ]) {
      const none = { VK_DRIVER_FILES: '/nowhere.json', VK_ICD_FILENAMES: '/nowhere.json' };
      expect(refusal(await retune([...args, '--software'], none))).toMatch(
        /^No GPU: Dawn found neither .* nor a software device; install a GPU driver, or Chrome .*\.$/,
      );
      // A base of a user's waits hours on the CPU, so that nobody gets there unasked.
      expect(refusal(await retune(args, { ...none, RETUNE_SOFTWARE_GPU: '' }))).toMatch(
        /^No GPU: Dawn found no .* device; install the GPU's driver, or add --software to compute on the CPU, .*\.$/,
      );
    }
    expect([scene.exists('v2'), scene.exists('answers.json')]).toEqual([false, false]);
  });

  it.each(['logs', 'checkpoint-1', 'README.md'] as const)('with a disk that is full at %s', async (where) => {
    const row = { prompt: 'Where is the fuse?', completion: 'In Graz.' };
    scene.write('train.jsonl', JSON.stringify(row));
    scene.write('training_config.yaml', 'training: {num_train_epochs: 1, logging_steps: 1}');
    const NODE_OPTIONS = ['use-null-webgpu.mjs', 'full-disk.mjs']
      .map((name) => `--import=${new URL(`../support/${name}`, import.meta.url)}`)
      .join(' ');
    const sentence = refusal(await retune(scene.finetune(), { NODE_OPTIONS, FULL_DISK_AT: where }));
    expect(sentence).toMatch(
      /^~\/v2\/\S+: the disk is full: \S+ \w+ were to be written and \S+ \wiB are free; make room there or choose another --output, then start again\.$/,
    );
    const whole = {
      logs: ['checkpoint-1', 'logs'],
      'checkpoint-1': ['logs'],
      'README.md': ['checkpoint-1', 'logs'],
    };
    expect(readdirSync(scene.path('v2'))).toEqual(whole[where]);
  });
});

describe('a command line', () => {
  it.each([
    [['fly'], "retune: unknown command 'fly'; see retune --help."],
    [['--fly'], "retune: unknown option '--fly'; see retune --help."],
    [
      ['finetune'],
      "retune: required option '--source-model <folder>' not specified; see retune finetune --help.",
    ],
    [['plan', '--base', 'x', '--seq', 'long'], 'Expected a whole number at least 2; see retune plan --help.'],
    [
      ['plan', '--base', 'x', '--r', '8', '--model', 'y'],
      'retune plan: --r and --model both set the rank; leave one',
    ],
    [['compare', 'a.json'], "retune: missing required argument 'results-v2'; see retune compare --help."],
    [['inspect', 'nowhere'], 'nowhere: no such file; check the path.'],
    [
      ['inspect', 'src'],
      'src: neither config.json nor adapter_config.json is there, expected the folder of a base',
    ],
    [['inspect', 'package.json'], 'package.json: the safetensors header claims'],
  ])('with %o', async (args, sentence) => expect(refusal(await retune(args))).toContain(sentence));

  it.each<[string, string[]]>([
    ...['--base', '--source-model', '--train-data', '--val-data', '--output', '--config', '--base-cache'].map(
      (option): [string, string[]] => [
        option,
        ['finetune', '--source-model=a', '--train-data=b', '--output=c'],
      ],
    ),
    ...['--base', '--model', '--questions', '--output', '--config', '--base-cache'].map(
      (option): [string, string[]] => [
        option,
        ['batch-test', '--base=a', '--model=b', '--questions=c', '--output=d'],
      ],
    ),
    ...['--base', '--model', '--config'].map((option): [string, string[]] => [option, ['plan', '--base=a']]),
    ...['--base', '--json', '--plot'].map((option): [string, string[]] => [option, ['bench']]),
    ['--csv', ['compare', 'a', 'b']],
    ['--files', ['demo']],
    ['--output', ['demo']],
    ['--base-cache', ['cache', 'list']],
  ])('with an empty %s: %o', async (option, args) => {
    expect(refusal(await retune([...args, option, '']))).toMatch(
      new RegExp(
        `^retune: option '${option} <\\w+>' is empty, expected a path; see retune ${args[0]} --help\\.$`,
      ),
    );
  });

  it.each([
    [
      ['plan', '--base', ' '],
      "retune: option '--base <folder>' is empty, expected a path; see retune plan --help.",
    ],
    [['inspect', ''], "retune: argument 'path' is empty, expected a path; see retune inspect --help."],
    [
      ['compare', 'a', ''],
      "retune: argument 'results-v2' is empty, expected a path; see retune compare --help.",
    ],
  ])('with a blank or an empty argument: %o', async (args, sentence) =>
    expect(refusal(await retune(args))).toBe(sentence),
  );

  it('with a mode that does not exist', async () => {
    expect(refusal(await retune(scene.finetune({ resume: 'maybe' })))).toBe(
      "retune: option '--resume <mode>' argument 'maybe' is invalid: allowed choices are exact, weights, never; see retune finetune --help.",
    );
  });

  it('that asks for help, and gets it', async () => {
    for (const command of [[], ['finetune'], ['batch-test'], ['plan'], ['inspect'], ['compare']]) {
      const { code, stdout, stderr } = await retune([...command, '--help']);
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toContain(`Usage: ${['retune', ...command].join(' ')}`);
    }
  });

  it('that asks for the version, and gets it', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await retune(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('that says nothing, and gets help', async () => {
    expect(await retune([])).toEqual(await retune(['--help']));
  });
});

describe('a bug', () => {
  const broken = `--import data:text/javascript,Array.prototype.toSorted=()=>{throw(new(TypeError)('broken'))}`;

  it('ends with 1, a request to report it, and the stack only on request', async () => {
    const { code, stderr } = await retune(['inspect', scene.path(V1)], { NODE_OPTIONS: broken });
    expect([code, stderr]).toEqual([
      1,
      'This is a bug in Retune, please report it with this message: TypeError: broken (RETUNE_DEBUG=1 shows where)\n',
    ]);
    const env = { NODE_OPTIONS: broken, RETUNE_DEBUG: '1' };
    const debugged = await retune(['inspect', scene.path(V1)], env);
    expect(debugged.code).toBe(1);
    expect(debugged.stderr).toMatch(/^TypeError: broken\n\s+at /);
  });
});

describe('a batch test', () => {
  const test = (options: string[], env?: NodeJS.ProcessEnv) =>
    retune(
      ['batch-test', '--base', scene.path('base'), '--model', scene.path('v1'), '--prompt', 'chat']
        .concat(['--questions', scene.path('questions.json'), '--output', scene.path('answers.json')])
        .concat(options),
      env,
    );

  it.each([
    ['[]', 'there are no questions in it'],
    [
      '[{"answer": "No"}]',
      'entry 1 (line 1): question is missing, expected text that is not empty; correct it.',
    ],
    ['[{"question": 5}]', 'entry 1 (line 1): question is 5, expected text; correct it.'],
    ['[{"question": "Hi"}', 'line 1: the file ends inside its JSON list'],
  ])('refuses the questions %s', async (questions, sentence) => {
    scene.write('questions.json', questions);
    expect(refusal(await test([]))).toContain(sentence);
    expect(scene.exists('answers.json')).toBe(false);
  });

  it('skips a question that the model has no room for', async () => {
    const long = 'where '.repeat(3000);
    scene.write('questions.json', JSON.stringify([{ question: long, answer: 'x' }, { question: 'Where?' }]));
    const { code, stdout, stderr } = await test(['--greedy', '--max-new-tokens', '2'], {});
    expect(code, stderr).toBe(0);
    const { results } = JSON.parse(readFileSync(scene.path('answers.json'), 'utf8')) as BatchTestFile;
    expect(results[0]).toMatchObject({
      model_answer: '',
      stop_reason: 'no room',
      error: expect.stringMatching(
        /^question 1: \d+ tokens and up to 2 of the answer, expected at most 2048 together \(max_position_embeddings\); shorten it or lower --max-new-tokens\.$/,
      ),
    });
    expect(stdout).toContain(results[0]!.error);
    expect(results[1]!.token_usage.output_tokens).toBeGreaterThan(0);
  });

  it('refuses settings and places that make no sense', async () => {
    expect(refusal(await test(['--top-p', '0']))).toContain('top_p is 0, expected a number above 0');
    expect(refusal(await test(['--greedy', '--top-k', '5']))).toContain('cannot be used with option');
    expect(refusal(await test(['--max-new-tokens', '99999']))).toContain('lower --max-new-tokens.');
    mkdirSync(scene.path('folder'));
    expect(refusal(await test(['--output', scene.path('folder')]))).toBe(
      '~/folder: expected a file for the answers, found a folder; choose another --output.',
    );
    expect(refusal(await test(['--output', scene.path('train.jsonl/x.json')]))).toBe(
      '~/train.jsonl: expected a folder for the output, found a file; choose another --output.',
    );
    expect(refusal(await test(['--output', '/dev/null']))).toBe(
      '/dev/null: expected a file for the answers, found something that is neither a file nor a folder; choose another --output.',
    );
  });

  it('writes into no file or folder that it reads', async () => {
    symlinkSync(scene.path('questions.json'), scene.path('link.json'));
    const before = snapshot();
    const takes = (what: string) => `the answers would take the place of ${what}; choose another --output.`;
    const lies = (what: string) =>
      `the output lies inside ${what}, which is never written to; choose another --output.`;
    const config = ['--config', scene.path('training_config.yaml')];
    for (const [output, sentence] of [
      ['questions.json', takes('the questions')],
      ['link.json', takes('the questions')],
      ['v1/../questions.json', takes('the questions')],
      ['training_config.yaml', takes('the recipe')],
      ['v1/adapter_config.json', lies('the adapter, ~/v1')],
      ['v1/answers.json', lies('the adapter, ~/v1')],
      ['base/config.json', lies('the base model, ~/base')],
    ] as const) {
      expect(refusal(await test([...config, '--output', `${scene.folder}/${output}`]))).toBe(
        `~/${output}: ${sentence}`,
      );
    }
    expect(snapshot()).toEqual(before);
  });
});

/** Modification times of the scene's files. */
const snapshot = () =>
  Object.fromEntries(
    readdirSync(scene.folder, { recursive: true, encoding: 'utf8' }).map((name) => [
      name,
      statSync(scene.path(name)).ctimeMs,
    ]),
  );

it('a comparison takes the place of neither of its files', async () => {
  for (const name of ['1.json', '2.json']) {
    scene.write(name, '[]');
  }
  const before = snapshot();
  const files = [scene.path('1.json'), scene.path('2.json')];
  for (const csv of files) {
    expect(refusal(await retune(['compare', ...files, '--csv', csv]))).toBe(
      `${csv.replace(scene.folder, '~')}: the table would take the place of the answers that are compared; choose another --csv.`,
    );
  }
  expect(snapshot()).toEqual(before);
});

describe('a benchmark', () => {
  it('refuses before it measures what it could not write', async () => {
    const before = snapshot();
    const bench = (...args: string[]) =>
      retune(['bench', '--model', 'tiny', '--section', 'ceilings', ...args]);
    const same = scene.path('bench.out');
    expect(refusal(await bench('--json', same, '--plot', same))).toBe(
      '~/bench.out: the picture would take the place of the figures of --json; choose another --plot.',
    );
    expect(refusal(await bench('--base', scene.path('base'), '--json', scene.path('base/config.json')))).toBe(
      '~/base/config.json: the output lies inside the base model, ~/base, which is never written to; choose another --json.',
    );
    expect(refusal(await bench('--plot', scene.path('base')))).toBe(
      '~/base: expected a file for the picture, found a folder; choose another --plot.',
    );
    expect(snapshot()).toEqual(before);
  });
});
