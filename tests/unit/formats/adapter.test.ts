import { describe, expect, test } from 'vitest';
import { ADAPTER_METADATA, adapterTensors, freshAdapter, readAdapter } from '../../../src/formats/adapter.ts';
import { writeAdapterConfig } from '../../../src/formats/adapter-config.ts';
import { parseDecoderConfig } from '../../../src/formats/decoder-config.ts';
import { parseJson } from '../../../src/formats/json.ts';
import { openSafetensors, readTensor } from '../../../src/formats/safetensors.ts';
import { type TensorData, writeSafetensors } from '../../../src/formats/safetensors-write.ts';
import { Xoshiro128 } from '../../../src/formats/xoshiro128.ts';
import {
  fixtureFiles,
  joinBytes,
  type MemoryFiles,
  memoryFolder,
  source,
} from '../../support/memory-folder.ts';

const FILE = 'adapter_model.safetensors';
const Q_A = 'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight';
const decoderOf = (name: string) => {
  const config = fixtureFiles(`cases/${name}/base`)['config.json'] as Uint8Array;
  return parseDecoderConfig(parseJson(new TextDecoder().decode(config)), 'config.json');
};
const decoder = decoderOf('chat_messages');
const v1 = () => fixtureFiles('cases/chat_messages/v1');

async function changed(change: (tensors: TensorData[]) => TensorData[]): Promise<MemoryFiles> {
  const files = v1();
  const { tensors } = await openSafetensors(source(FILE, files[FILE]!));
  const data: TensorData[] = [];
  for (const info of tensors.values()) {
    data.push({ ...info, data: await readTensor(info) });
  }
  return { ...files, [FILE]: joinBytes(writeSafetensors(change(data), { format: 'pt' })) };
}

const LFS_POINTER =
  'version https://git-lfs.github.com/spec/v1\noid sha256:4665a5ea423c2713d436b5ee50593a9640e0018c1550b5a0002f74190d6caea8\nsize 12\n';

describe('a PEFT adapter', () => {
  test.each(['chat_messages', 'recipe_text'])('%s reads, and writes back byte for byte', async (name) => {
    const files = fixtureFiles(`cases/${name}/v1`);
    const { config, weights } = await readAdapter(memoryFolder('v1', files), decoderOf(name));
    expect(weights).toHaveLength(name === 'recipe_text' ? 14 : 4);
    const { module, A, B } = weights[1]!;
    expect(A).toHaveLength(module.r * module.inFeatures);
    expect(B).toHaveLength(module.r * module.outFeatures);
    const written = joinBytes(writeSafetensors(adapterTensors(weights), ADAPTER_METADATA));
    expect(Buffer.compare(written, files[FILE] as Uint8Array)).toBe(0);
    const configText = new TextDecoder().decode(files['adapter_config.json'] as Uint8Array);
    expect(writeAdapterConfig(config)).toBe(configText);
  });

  test('reads .default.weight names and bf16, and never writes them', async () => {
    const plain = await readAdapter(memoryFolder('v1', v1()), decoder);
    const files = await changed((tensors) =>
      tensors.map((tensor) => ({
        ...tensor,
        name: tensor.name.replace('.weight', '.default.weight'),
        dtype: 'BF16',
        data: tensor.data.filter((_, i) => i % 4 > 1),
      })),
    );
    const { weights } = await readAdapter(memoryFolder('v1', files), decoder);
    weights.forEach(({ A }, i) => {
      const truncated = new Uint32Array(plain.weights[i]!.A.buffer).map((bits) => bits & 0xffff0000);
      expect(A).toEqual(new Float32Array(truncated.buffer));
    });
    expect(adapterTensors(weights)[0]!.name).toBe(Q_A);
  });

  test.each<[string, () => Promise<MemoryFiles>, string]>([
    [
      'another base',
      async () => fixtureFiles('cases/recipe_text/v1'),
      'base_model.model.model.layers.0.self_attn.k_proj.lora_B.weight is [64, 32], expected [32, 32]; the adapter belongs to another base',
    ],
    [
      'another rank',
      () =>
        changed((tensors) =>
          tensors.map((t) => (t.name === Q_A ? { ...t, shape: [4, 128], data: t.data.slice(0, 2048) } : t)),
        ),
      `v1/${FILE}: ${Q_A} is [4, 128], expected [8, 128]; its rank is not that of adapter_config.json`,
    ],
    [
      'a missing tensor',
      () => changed((tensors) => tensors.filter(({ name }) => name !== Q_A)),
      `v1/${FILE}: the tensor ${Q_A} is missing, expected [8, 128]; the adapter is incomplete or belongs to another base`,
    ],
    [
      'an extra tensor',
      () => changed((tensors) => [...tensors, { ...tensors[0]!, name: Q_A.replace('layers.0', 'layers.9') }]),
      `v1/${FILE}: the tensor base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight [8, 128] has no place in the base`,
    ],
    [
      'a whole embedding',
      () =>
        changed((tensors) => [
          ...tensors,
          { ...tensors[0]!, name: 'base_model.model.model.embed_tokens.weight' },
        ]),
      `v1/${FILE}: it holds a whole table, base_model.model.model.embed_tokens.weight [8, 128], as PEFT saves one where the vocabulary was enlarged or the table was trained; only LoRA pairs are trained here: if the table is the base's own, save the adapter again with save_embedding_layers=False; else merge the adapter into its base with PEFT's merge_and_unload, save that as a base, and start a fresh adapter on it.`,
    ],
    [
      'a head that was trained whole',
      () =>
        changed((tensors) => [
          ...tensors,
          { ...tensors[0]!, name: 'base_model.model.lm_head.modules_to_save.default.weight' },
        ]),
      `v1/${FILE}: it holds a whole table, base_model.model.lm_head.modules_to_save.default.weight [8, 128], as PEFT`,
    ],
    [
      'weights that are still being downloaded',
      async () => {
        const others = Object.entries(v1()).filter(([name]) => name !== FILE);
        return { ...Object.fromEntries(others), [`${FILE}.crdownload`]: 'x' };
      },
      `v1: ${FILE}.crdownload is still being downloaded, or its download broke off; let it finish`,
    ],
    [
      'an empty tensor of ZeRO-3',
      () =>
        changed((tensors) =>
          tensors.map((t) => (t.name === Q_A ? { ...t, shape: [0], data: new Uint8Array(0) } : t)),
        ),
      `v1/${FILE}: ${Q_A} is empty, [0], as DeepSpeed's ZeRO-3 leaves a weight that was not gathered`,
    ],
    [
      'a Git LFS pointer',
      async () => ({ ...v1(), [FILE]: LFS_POINTER }),
      `v1/${FILE}: this is a Git LFS pointer`,
    ],
    [
      'a Git LFS pointer for its configuration',
      async () => ({ ...v1(), 'adapter_config.json': LFS_POINTER }),
      'v1/adapter_config.json: this is a Git LFS pointer',
    ],
    [
      'integers',
      () => changed((tensors) => tensors.map((t) => (t.name === Q_A ? { ...t, dtype: 'I32' } : t))),
      `v1/${FILE}: ${Q_A} is I32, expected F32, F16 or BF16`,
    ],
    [
      'no configuration',
      async () => ({ [FILE]: v1()[FILE]! }),
      'v1: adapter_config.json is missing, expected the folder of a PEFT LoRA adapter',
    ],
    [
      'no weights',
      async () => ({ 'adapter_config.json': v1()['adapter_config.json']! }),
      'v1: adapter_model.safetensors is missing',
    ],
    [
      'pickle weights',
      async () => ({ 'adapter_config.json': v1()['adapter_config.json']!, 'adapter_model.bin': 'PK' }),
      'v1/adapter_model.bin: this is a PyTorch pickle, and pickle files are never opened',
    ],
  ])('refuses %s', async (_, files, sentence) => {
    const error = await readAdapter(memoryFolder('v1', await files()), decoder).catch(
      (reason: unknown) => reason as Error,
    );
    expect(error).toHaveProperty('name', 'UserError');
    expect((error as Error).message).toContain(sentence);
  });
});

describe('a fresh adapter', () => {
  const settings = { r: 8, loraAlpha: 16, loraDropout: 0.05, useRslora: false, targetModules: 'all-linear' };

  test('has PEFT’s start: A uniform within 1/√in, B zero', () => {
    const { weights, config } = freshAdapter(settings, decoder, 42, 'toy');
    expect(weights).toHaveLength(14);
    expect(config.raw['lora_dropout']).toBe(0.05);
    for (const { module, A, B } of weights) {
      const bound = 1 / Math.sqrt(module.inFeatures);
      const mean = A.reduce((sum, x) => sum + x, 0) / A.length;
      const variance = A.reduce((sum, x) => sum + x * x, 0) / A.length;
      expect(Math.max(...A.map(Math.abs))).toBeLessThanOrEqual(bound);
      expect(Math.abs(mean)).toBeLessThan((5 * bound) / Math.sqrt(3 * A.length));
      expect(variance / (bound ** 2 / 3)).toBeCloseTo(1, 0.5);
      expect(B.every((x) => x === 0)).toBe(true);
    }
  });

  test('repeats for a seed, differs for another and between modules', () => {
    const a = (seed: number, i = 0) => freshAdapter(settings, decoder, seed, 'toy').weights[i]!.A;
    expect(a(1)).toEqual(a(1));
    expect(a(1)).not.toEqual(a(2));
    expect(a(1)).not.toEqual(a(1, 1));
  });

  test('reads back as it was written', async () => {
    const fresh = freshAdapter({ ...settings, useRslora: true }, decoder, 7, 'toy');
    const files = {
      'adapter_config.json': writeAdapterConfig(fresh.config),
      [FILE]: joinBytes(writeSafetensors(adapterTensors(fresh.weights), ADAPTER_METADATA)),
    };
    const back = await readAdapter(memoryFolder('v1', files), decoder);
    expect(back.weights).toEqual(fresh.weights);
    expect(back.weights[0]!.module.scaling).toBe(16 / Math.sqrt(8));
  });
});

test('xoshiro128** gives its published first outputs', () => {
  const random = new Xoshiro128([1, 2, 3, 4]);
  expect([random.u32(), random.u32(), random.u32(), random.u32()]).toEqual([11520, 0, 5927040, 70819200]);
});
