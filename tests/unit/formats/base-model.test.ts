import { describe, expect, test } from 'vitest';
import { baseFiles, floatTensors, linearSource, openBaseModel } from '../../../src/formats/base-model.ts';
import { linearModules } from '../../../src/formats/decoder-weights.ts';
import { bf16ToF32 } from '../../../src/formats/half.ts';
import {
  dequantizeNf4,
  doubleDequantize,
  doubleQuantize,
  NF4_CODES,
  quantizeNf4,
  signedDynamicMap,
} from '../../../src/formats/nf4.ts';
import { openSafetensors, readTensor, readTensorF32 } from '../../../src/formats/safetensors.ts';
import { type TensorData, writeSafetensors } from '../../../src/formats/safetensors-write.ts';
import { encodeUtf8 } from '../../../src/formats/utf8.ts';
import {
  fixtureFiles,
  joinBytes,
  type MemoryFiles,
  memoryFolder,
  source,
} from '../../support/memory-folder.ts';

const CASE = 'cases/recipe_text/base';

async function tensorsOf(files: MemoryFiles): Promise<TensorData[]> {
  const { tensors } = await openSafetensors(source('m.safetensors', files['model.safetensors']!));
  return Promise.all([...tensors.values()].map(async (info) => ({ ...info, data: await readTensor(info) })));
}

const write = (tensors: TensorData[]) => joinBytes(writeSafetensors(tensors));

/** The fixture's folder with its files changed. */
async function changed(change: (files: MemoryFiles, tensors: TensorData[]) => unknown) {
  const files = fixtureFiles(CASE);
  const tensors = change(files, await tensorsOf(files));
  if (Array.isArray(tensors)) {
    files['model.safetensors'] = write(tensors as TensorData[]);
  }
  return memoryFolder('base', files);
}

const bytesOf = (values: Float32Array) => new Uint8Array(values.buffer);
const Q = 'model.layers.0.self_attn.q_proj';
/** Every linear module but Q, as an expression. */
const OTHERS = String.raw`model\.layers\.(?!0\.self_attn\.q_proj)`;

/** Makes config.json that of a 4-bit checkpoint with this list. */
function skipping(files: MemoryFiles, list: unknown): void {
  const config = JSON.parse(new TextDecoder().decode(files['config.json'] as Uint8Array)) as object;
  const quantization = { quant_method: 'bitsandbytes', load_in_4bit: true, bnb_4bit_quant_type: 'nf4' };
  files['config.json'] = JSON.stringify({
    ...config,
    quantization_config: { ...quantization, llm_int8_skip_modules: list },
  });
}

describe('a base folder', () => {
  test('opens, with its linear modules in order and the files to hash', async () => {
    const base = await openBaseModel(memoryFolder('base', fixtureFiles(CASE)));
    expect(base.config).toMatchObject({ family: 'qwen2', layers: 2, hiddenSize: 128, intermediateSize: 352 });
    expect(base.quantized).toBe(false);
    expect(baseFiles(base).map((file) => file.name)).toEqual(['base/model.safetensors', 'base/config.json']);
    expect(linearModules(base.config)).toHaveLength(14);
    expect(linearModules(base.config).slice(5, 8)).toEqual([
      { layer: 0, projection: 'up_proj', name: 'model.layers.0.mlp.up_proj', shape: [352, 128] },
      { layer: 0, projection: 'down_proj', name: 'model.layers.0.mlp.down_proj', shape: [128, 352] },
      { layer: 1, projection: 'q_proj', name: 'model.layers.1.self_attn.q_proj', shape: [128, 128] },
    ]);
    expect(linearSource(base, Q)).toMatchObject({
      kind: 'dense',
      weight: { name: `${Q}.weight`, dtype: 'BF16', shape: [128, 128] },
    });
  });

  test('stop ids are those of both files, each once', async () => {
    const folder = await changed((files) => {
      const config = new TextDecoder().decode(files['config.json'] as Uint8Array);
      files['config.json'] = config.replace('"eos_token_id": null', '"eos_token_id": 7');
      files['generation_config.json'] = '{"eos_token_id": [9, 7]}';
    });
    expect((await openBaseModel(folder)).eosIds).toEqual([9, 7]);
    const bare = await changed((files) => {
      delete files['generation_config.json'];
    });
    expect((await openBaseModel(bare)).eosIds).toEqual([]);
  });

  test.each(['1.5', '-1', '"7"', '[9, null]', '{"id": 7}'])(
    'a stop id that is none is refused: %s',
    async (id) => {
      const folder = await changed((files) => {
        files['generation_config.json'] = `{"eos_token_id": ${id}}`;
      });
      await expect(openBaseModel(folder)).rejects.toThrow(
        `generation_config.json: eos_token_id is ${JSON.stringify(JSON.parse(id))}, expected a token id or a list of them; `,
      );
    },
  );

  test('that is still being downloaded, or whose weights are empty, is told as such', async () => {
    const download = await changed((files) => {
      delete files['model.safetensors'];
      files['8fd8.incomplete'] = 'x';
    });
    await expect(openBaseModel(download)).rejects.toThrow(
      'base: 8fd8.incomplete is still being downloaded, or its download broke off; let it finish',
    );
    const shards = await changed((files, tensors) => {
      shard(files, tensors);
      delete files['b.safetensors'];
      files['b.safetensors.incomplete'] = 'x';
    });
    await expect(openBaseModel(shards)).rejects.toThrow(
      'base: b.safetensors.incomplete is still being downloaded, or its download broke off; let it finish',
    );
    const empty = await changed((_, tensors) =>
      tensors.map((t) => (t.name === `${Q}.weight` ? { ...t, shape: [0], data: new Uint8Array(0) } : t)),
    );
    await expect(openBaseModel(empty)).rejects.toThrow(
      `base/model.safetensors: ${Q}.weight is empty, [0], as DeepSpeed's ZeRO-3 leaves`,
    );
  });

  test.each(['model.safetensors', 'config.json', 'model.safetensors.index.json', 'b.safetensors'])(
    'whose %s is a Git LFS pointer is told as such',
    async (file) => {
      const folder = await changed((files, tensors) => {
        if (file !== 'model.safetensors') {
          shard(files, tensors);
        }
        files[file] =
          'version https://git-lfs.github.com/spec/v1\noid sha256:4665a5ea423c2713d436b5ee50593a9640e0018c1550b5a0002f74190d6caea8\nsize 12\n';
      });
      await expect(openBaseModel(folder)).rejects.toThrow(
        `base/${file}: this is a Git LFS pointer, the small text that stands for the file until it is fetched; run "git lfs pull" in that folder, or download the file itself.`,
      );
    },
  );

  test('sharded: the same tensors, from the shards that the index names', async () => {
    const whole = await openBaseModel(memoryFolder('base', fixtureFiles(CASE)));
    const sharded = await openBaseModel(await changed(shard));
    expect(baseFiles(sharded).map((file) => file.name)).toEqual([
      'base/a.safetensors',
      'base/b.safetensors',
      'base/config.json',
    ]);
    expect(sharded.tensors.size).toBe(whole.tensors.size);
    for (const [name, info] of whole.tensors) {
      expect(Buffer.compare(await readTensor(sharded.tensors.get(name)!), await readTensor(info))).toBe(0);
    }
  });
});

const HEAD = 'lm_head.weight';
const TABLE = 'model.embed_tokens.weight';

describe('a base whose config.json ties the head to the embedding', () => {
  /** With a head beside the embedding, which `head` makes of it. */
  const beside = (head: (table: TensorData) => Partial<TensorData>) =>
    changed((_, tensors) => {
      const table = tensors.find(({ name }) => name === TABLE)!;
      return [...tensors, { ...table, ...head(table), name: HEAD }];
    });
  /** The same values in f32. */
  const widened = ({ data }: TensorData): Partial<TensorData> => ({
    dtype: 'F32',
    data: bytesOf(bf16ToF32(data as Uint8Array)),
  });
  const different = ({ data }: TensorData): Partial<TensorData> => {
    const bytes = Uint8Array.from(data as Uint8Array);
    bytes[bytes.length - 2]! ^= 1;
    return { data: bytes };
  };

  test('and whose files hold the same table twice is tied', async () => {
    for (const head of [() => ({}), widened]) {
      const base = await openBaseModel(await beside(head));
      expect([base.config.tied, base.notes]).toEqual([true, []]);
    }
  });

  test('and whose files hold another, if only in its last value, is not, and says so', async () => {
    const base = await openBaseModel(await beside(different));
    expect(base.config.tied).toBe(false);
    expect(base.notes).toEqual([
      'base: config.json says that the output head is the embedding (tie_word_embeddings), but lm_head.weight in the files differs from it; both are used, as transformers does.',
    ]);
    expect(floatTensors(base).map(({ name }) => name)).toContain(HEAD);
  });

  test('and whose table is there under the head’s name alone takes it for both', async () => {
    const folder = await changed((_, tensors) =>
      tensors.map((tensor) => (tensor.name === TABLE ? { ...tensor, name: HEAD } : tensor)),
    );
    const base = await openBaseModel(folder);
    expect([base.config.tied, base.notes]).toEqual([true, []]);
    expect(base.tensors.get(TABLE)).toBe(base.tensors.get(HEAD));
  });

  test('and whose head has another shape is refused', async () => {
    const folder = await beside(({ data, shape }) => ({
      shape: [shape[0]! - 1, shape[1]!],
      data: (data as Uint8Array).subarray(2 * shape[1]!),
    }));
    await expect(openBaseModel(folder)).rejects.toThrow(
      'base/model.safetensors: lm_head.weight is BF16 [447, 128], expected BF16, F16 or F32 [448, 128] by config.json; download the base again',
    );
  });
});

/** Splits the tensors over two shards, every second one in each. */
function shard(files: MemoryFiles, tensors: TensorData[]): void {
  delete files['model.safetensors'];
  files['a.safetensors'] = write(tensors.filter((_, i) => i % 2 === 0));
  files['b.safetensors'] = write(tensors.filter((_, i) => i % 2));
  const map = Object.fromEntries(
    tensors.map(({ name }, i) => [name, i % 2 ? 'b.safetensors' : 'a.safetensors']),
  );
  files['model.safetensors.index.json'] = JSON.stringify({ metadata: {}, weight_map: map });
}

interface QuantizedOptions {
  nested?: boolean;
  state?: Record<string, unknown>;
  type?: string;
}

/** Replaces one linear weight by the parts that bitsandbytes saves. */
function quantized(
  tensors: TensorData[],
  weights: Float32Array,
  options: QuantizedOptions = {},
): TensorData[] {
  const { nested = true, state = {}, type = 'nf4' } = options;
  const name = `${Q}.weight`;
  const { packed, absmax } = quantizeNf4(weights);
  const { codes, absmax2, offset } = doubleQuantize(absmax);
  const f32 = (suffix: string, values: Float32Array): TensorData => ({
    name: name + suffix,
    dtype: 'F32',
    shape: [values.length],
    data: bytesOf(values),
  });
  const quantState = {
    quant_type: 'nf4',
    blocksize: 64,
    dtype: 'bfloat16',
    shape: [128, 128],
    ...(nested ? { nested_blocksize: 256, nested_dtype: 'float32', nested_offset: offset } : {}),
    ...state,
  };
  const json = encodeUtf8(JSON.stringify(quantState));
  return [
    ...tensors.filter((tensor) => tensor.name !== name),
    { name, dtype: 'U8', shape: [packed.length, 1], data: packed },
    nested
      ? { name: `${name}.absmax`, dtype: 'U8', shape: [codes.length], data: codes }
      : f32('.absmax', absmax),
    f32('.quant_map', NF4_CODES.slice()),
    ...(nested ? [f32('.nested_absmax', absmax2), f32('.nested_quant_map', signedDynamicMap())] : []),
    { name: `${name}.quant_state.bitsandbytes__${type}`, dtype: 'U8', shape: [json.length], data: json },
  ];
}

describe('a pre-quantized base', () => {
  async function weightsOf(): Promise<Float32Array> {
    const base = await openBaseModel(memoryFolder('base', fixtureFiles(CASE)));
    return readTensorF32(base.tensors.get(`${Q}.weight`)!);
  }

  test.each([true, false])('nested: %s; the other weights stay in 16 bits', async (nested) => {
    const weights = await weightsOf();
    const base = await openBaseModel(
      await changed((files, tensors) => {
        skipping(files, [OTHERS]);
        return quantized(tensors, weights, { nested });
      }),
    );
    expect(base.quantized).toBe(true);
    expect([...base.kept].toSorted()).toEqual(
      linearModules(base.config)
        .map(({ name }) => name)
        .filter((name) => name !== Q)
        .toSorted(),
    );
    expect(linearSource(base, 'model.layers.1.self_attn.q_proj').kind).toBe('kept');
    const linear = linearSource(base, Q);
    if (linear.kind !== 'nf4') {
      throw new Error('expected NF4');
    }
    expect(linear).toMatchObject({ blocksize: 64, shape: [128, 128] });
    expect(linear.nested !== undefined).toBe(nested);
    const packed = await readTensor(linear.packed);
    const { absmax } = quantizeNf4(weights);
    const scales = linear.nested
      ? doubleDequantize(
          await readTensor(linear.absmax),
          await readTensorF32(linear.nested.absmax),
          linear.nested.offset,
          linear.nested.blocksize,
          await readTensorF32(linear.nested.map),
        )
      : await readTensorF32(linear.absmax);
    if (!nested) {
      expect(scales).toEqual(absmax);
    }
    const back = dequantizeNf4(packed, scales, weights.length);
    const error = Math.hypot(...back.map((value, i) => value - weights[i]!)) / Math.hypot(...weights);
    expect(error).toBeGreaterThan(0.01);
    expect(error).toBeLessThan(0.12);
  });

  test.each<[QuantizedOptions, string]>([
    [{ type: 'fp4' }, `${Q}.weight is quantized as fp4, expected nf4; choose an NF4, bf16 or f16 version`],
    [{ state: { blocksize: 128 } }, 'blocksize is 128, expected 64'],
    [{ state: { quant_type: 'fp4' } }, 'quant_type is "fp4", expected nf4'],
    [{ state: { shape: [64, 256] } }, 'shape is [64,256], expected [128, 128] by config.json'],
    [{ state: { nested_offset: 'x' } }, 'nested_offset is "x", expected a number'],
    [{ state: { nested_blocksize: null } }, `${Q}.weight.absmax is U8 [256], expected F32 of 256 values`],
  ])('refuses %o', async (options, sentence) => {
    const weights = await weightsOf();
    const folder = await changed((_, tensors) => quantized(tensors, weights, options));
    await expect(openBaseModel(folder)).rejects.toThrow(sentence);
  });

  test.each<[string, (files: MemoryFiles) => unknown, string]>([
    [
      'a weight of 16 bits that the list does not name',
      (files) => skipping(files, ['lm_head', 'model.layers.0.self_attn.k_proj']),
      'base/model.safetensors: model.layers.0.self_attn.v_proj.weight is BF16, expected 4 bits by base/config.json: llm_int8_skip_modules does not name it; download',
    ],
    [
      'no list',
      (files) => skipping(files, null),
      'self_attn.k_proj.weight is BF16, expected 4 bits by base/config.json: llm_int8_skip_modules does not name it; download',
    ],
    [
      'a weight of 4 bits that the list names',
      (files) => skipping(files, ['model.layers.0.self_attn']),
      `base/model.safetensors: ${Q}.weight is 4-bit, but "model.layers.0.self_attn" in llm_int8_skip_modules of base/config.json says that it is not; download`,
    ],
    [
      'nothing said of either',
      () => undefined,
      'self_attn.k_proj.weight is BF16, beside weights of 4 bits, and base/config.json has no quantization_config that says which stay so; download',
    ],
    [
      'a list that is none',
      (files) => skipping(files, 'lm_head'),
      'base/config.json: quantization_config.llm_int8_skip_modules is "lm_head", expected a list of at most 10000 module names; download config.json again.',
    ],
    [
      'an expression that takes for ever',
      (files) => skipping(files, [String.raw`(?:\w|\w\.?|\.)*!`]),
      'it takes too long to match module names against it',
    ],
  ])('refuses %s', async (_, change, sentence) => {
    const weights = await weightsOf();
    const folder = await changed((files, tensors) => {
      change(files);
      return quantized(tensors, weights);
    });
    await expect(openBaseModel(folder)).rejects.toThrow(sentence);
  });

  test('refuses F32 beside 4 bits, and a config.json that says 4 bits where there are none', async () => {
    const weights = await weightsOf();
    const k = 'model.layers.0.self_attn.k_proj.weight';
    const wide = await changed((files, tensors) => {
      skipping(files, [OTHERS]);
      return quantized(tensors, weights).map((tensor) =>
        tensor.name === k ? { ...tensor, dtype: 'F32', data: new Uint8Array(4 * 64 * 128) } : tensor,
      );
    });
    await expect(openBaseModel(wide)).rejects.toThrow(
      `base/model.safetensors: ${k} is F32 and stays so by llm_int8_skip_modules, expected BF16 or F16; save the base in bfloat16.`,
    );
    const plain = await changed((files) => skipping(files, ['lm_head']));
    await expect(openBaseModel(plain)).rejects.toThrow(
      `${Q}.weight is BF16, expected 4 bits by base/config.json: llm_int8_skip_modules does not name it`,
    );
  });

  test('refuses missing parts, another table and a state that is not JSON', async () => {
    const weights = await weightsOf();
    const open = async (change: (tensor: TensorData) => TensorData | undefined) =>
      openBaseModel(
        await changed((_, tensors) => quantized(tensors, weights).flatMap((tensor) => change(tensor) ?? [])),
      );
    await expect(open((t) => (t.name.endsWith('.nested_absmax') ? undefined : t))).rejects.toThrow(
      `${Q}.weight.nested_absmax is missing, though ${Q}.weight.quant_state.bitsandbytes__nf4 is there`,
    );
    const table = bytesOf(NF4_CODES.map((code) => code / 2));
    await expect(
      open((t) => (t.name.endsWith('.quant_map') && !t.name.includes('nested') ? { ...t, data: table } : t)),
    ).rejects.toThrow(`${Q}.weight.quant_map is not the NF4 table`);
    const text = encodeUtf8('{');
    await expect(
      open((t) => (t.name.includes('quant_state') ? { ...t, shape: [1], data: text } : t)),
    ).rejects.toThrow('does not hold JSON');
  });
});

describe('refusals', () => {
  const without = (name: string) => (files: MemoryFiles) => Reflect.deleteProperty(files, name);
  test.each<[string, (files: MemoryFiles, tensors: TensorData[]) => unknown, string]>([
    [
      'no config',
      without('config.json'),
      'base: config.json is missing, expected the folder of a Hugging Face base',
    ],
    [
      'no weights',
      without('model.safetensors'),
      'base: neither model.safetensors nor model.safetensors.index.json',
    ],
    [
      'pickle weights',
      (files) => {
        delete files['model.safetensors'];
        files['pytorch_model.bin'] = 'PK';
      },
      'base/pytorch_model.bin: this is a PyTorch pickle, and pickle files are never opened',
    ],
    [
      'config not JSON',
      (files) => {
        files['config.json'] = '{\n  "a": 1,\n}';
      },
      'base/config.json: not valid JSON at line 3, column 1: a string was expected',
    ],
    [
      'config not UTF-8',
      (files) => {
        files['config.json'] = Uint8Array.of(0xff);
      },
      'base/config.json: not valid UTF-8',
    ],
    [
      'a config of 5 MB',
      (files) => {
        files['config.json'] = ' '.repeat(5 * 2 ** 20);
      },
      'base/config.json: 5.0 MiB, expected a JSON file of at most 4.0 MiB; download or export it again.',
    ],
    ...[3, 3_000_000, 2 ** 32, 2 ** 53 - 1].map((layers): [string, (files: MemoryFiles) => void, string] => [
      `${layers} layers`,
      (files) => {
        const config = new TextDecoder().decode(files['config.json'] as Uint8Array);
        files['config.json'] = config.replace('"num_hidden_layers": 2', `"num_hidden_layers": ${layers}`);
      },
      `base/config.json: num_hidden_layers is ${layers}, but the files hold tensors of 2 layers; download the base again`,
    ]),
    [
      'missing tensor',
      (_, tensors) => tensors.filter(({ name }) => name !== 'model.norm.weight'),
      'base: the tensor model.norm.weight is missing, expected BF16, F16 or F32 [128] by config.json',
    ],
    [
      'missing bias',
      (_, tensors) => tensors.filter(({ name }) => name !== `${Q}.bias`),
      `base: the tensor ${Q}.bias is missing`,
    ],
    [
      'another intermediate size',
      (files) => {
        const config = new TextDecoder().decode(files['config.json'] as Uint8Array);
        files['config.json'] = config.replace('"intermediate_size": 352', '"intermediate_size": 384');
      },
      'model.layers.0.mlp.gate_proj.weight is BF16 [352, 128], expected BF16, F16 or F32 [384, 128] by config.json',
    ],
    [
      'untied without a head',
      (files) => {
        const config = new TextDecoder().decode(files['config.json'] as Uint8Array);
        files['config.json'] = config.replace('"tie_word_embeddings": true', '"tie_word_embeddings": false');
      },
      'the tensor lm_head.weight is missing, expected BF16, F16 or F32 [448, 128]',
    ],
    [
      'integers for weights',
      (_, tensors) =>
        tensors.map((tensor) => (tensor.name === 'model.norm.weight' ? { ...tensor, dtype: 'I16' } : tensor)),
      'model.norm.weight is I16 [128], expected BF16, F16 or F32 [128]',
    ],
    [
      'missing shard',
      (files, tensors) => {
        shard(files, tensors);
        delete files['b.safetensors'];
      },
      'base: the shard b.safetensors is missing, though model.safetensors.index.json names it',
    ],
    [
      'tensor not in its shard',
      (files, tensors) => {
        shard(files, tensors);
        files['b.safetensors'] = write(tensors.filter((_, i) => i % 2 && i !== 3));
      },
      'is not in b.safetensors, where model.safetensors.index.json says it is',
    ],
    [
      'an index without a map',
      (files) => {
        delete files['model.safetensors'];
        files['model.safetensors.index.json'] = '{}';
      },
      'base/model.safetensors.index.json: weight_map is missing, expected a shard for every tensor',
    ],
    ...[
      '../secret.safetensors',
      '/etc/x.safetensors',
      'a\\b.safetensors',
      'C:x.safetensors',
      'notes.txt',
      5,
    ].map((name): [string, (files: MemoryFiles) => void, string] => [
      `shard name ${name}`,
      (files) => {
        delete files['model.safetensors'];
        files['model.safetensors.index.json'] = JSON.stringify({ weight_map: { x: name } });
      },
      `weight_map names the file ${JSON.stringify(name)}, expected a plain .safetensors name`,
    ]),
    [
      'pickle shards',
      (files) => {
        delete files['model.safetensors'];
        files['model.safetensors.index.json'] = JSON.stringify({ weight_map: { x: 'pytorch_model-1.bin' } });
      },
      'base/pytorch_model-1.bin, which model.safetensors.index.json names: this is a PyTorch pickle, and',
    ],
  ])('%s', async (_, change, sentence) => {
    const error = await openBaseModel(await changed(change)).catch((reason: unknown) => reason as Error);
    expect(error).toHaveProperty('name', 'UserError');
    expect((error as Error).message).toContain(sentence);
  });
});
