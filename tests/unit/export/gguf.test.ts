import { describe, expect, it } from 'vitest';
import { ggufLoraExport } from '../../../src/export/gguf/lora.ts';
import { ggufExport, sizeLabel } from '../../../src/export/gguf/model.ts';
import { preTokenizerName } from '../../../src/export/gguf/pre-tokenizers.ts';
import { openSource } from '../../../src/export/source.ts';
import { mergedTensors } from '../../../src/export/weights.ts';
import { bytesToF32 } from '../../../src/formats/half.ts';
import { caseSource, contentOf } from '../../support/exported.ts';
import { fixtureFiles, memoryFolder } from '../../support/memory-folder.ts';
import { readGguf } from '../../support/read-gguf.ts';

// That llama.cpp computes from these files what PyTorch does is in tests/llama; here is what can be seen without it.

const rowsOf = async (source: Awaited<ReturnType<typeof caseSource>>, name: string) => {
  const tensor = mergedTensors(source).find((one) => one.name === name)!;
  return (await tensor.open())(0, tensor.shape[0]!);
};
const read = async ({ files }: Awaited<ReturnType<typeof ggufExport>>) =>
  readGguf(await contentOf(files[0]!));

describe('a GGUF file', () => {
  it('has the metadata, the names and the shapes of llama.cpp', async () => {
    const source = await caseSource('llama_sharded');
    const { metadata, tensors } = await read(await ggufExport(source, 'f16', 'x.gguf'));
    const { config } = source.base;
    expect(Object.fromEntries([...metadata].filter(([, value]) => !Array.isArray(value)))).toMatchObject({
      'general.architecture': 'llama',
      'general.type': 'model',
      'general.file_type': 1,
      'general.quantization_version': 2,
      'llama.block_count': 2,
      'llama.embedding_length': 96,
      'llama.attention.head_count': 3,
      'llama.attention.head_count_kv': 1,
      'llama.rope.dimension_count': 32,
      'llama.rope.freq_base': 500_000,
      'tokenizer.ggml.model': 'gpt2',
      'tokenizer.ggml.pre': 'smaug-bpe',
      'tokenizer.ggml.bos_token_id': 477,
      'tokenizer.ggml.eos_token_id': 478,
      'tokenizer.ggml.eot_token_id': 479,
      'tokenizer.ggml.add_bos_token': true,
    });
    const tokens = metadata.get('tokenizer.ggml.tokens') as string[];
    expect(tokens).toHaveLength(config.vocabSize);
    expect(new Set(tokens).size).toBe(tokens.length);
    expect(tokens.at(-1)).toBe('[PAD511]');
    expect((metadata.get('tokenizer.ggml.token_type') as number[])[477]).toBe(3);
    expect(tensors.get('token_embd.weight')).toMatchObject({ type: 1, dims: [96, 512] });
    expect(tensors.get('blk.1.attn_norm.weight')).toMatchObject({ type: 0, dims: [96] });
    expect(tensors.get('blk.0.ffn_down.weight')).toMatchObject({ type: 1, dims: [192, 96] });
    expect(tensors.get('rope_freqs.weight')).toMatchObject({ type: 0, dims: [16] });
    expect(tensors.size).toBe(22);
  });

  it('has the rows of q and k of Llama in pairs of a head’s two halves, and only those', async () => {
    const source = await caseSource('llama_sharded');
    const { tensors } = await read(await ggufExport(source, 'f32', 'x.gguf'));
    const q = bytesToF32(tensors.get('blk.1.attn_q.weight')!.data);
    const own = await rowsOf(source, 'model.layers.1.self_attn.q_proj.weight');
    const row = (values: Float32Array, n: number) => [...values.subarray(96 * n, 96 * (n + 1))];
    expect(row(q, 32)).toEqual(row(own, 32));
    expect(row(q, 33)).toEqual(row(own, 48));
    expect(row(q, 35)).toEqual(row(own, 49));
    expect(row(q, 95)).toEqual(row(own, 95));
    const v = bytesToF32(tensors.get('blk.1.attn_v.weight')!.data);
    expect([...v.subarray(0, own.length)]).toEqual([
      ...(await rowsOf(source, 'model.layers.1.self_attn.v_proj.weight')),
    ]);
  });

  it('is refused by name where llama.cpp has no such model or tokenizer', async () => {
    const files = fixtureFiles('cases/batch2/base');
    const changed = async (file: string, from: string, to: string) => {
      const text = new TextDecoder().decode(files[file] as Uint8Array);
      expect(text).toContain(from);
      const source = await openSource({
        base: memoryFolder('base', { ...files, [file]: text.replace(from, to) }),
        adapter: memoryFolder('v1', fixtureFiles('cases/batch2/v1')),
        onto: 'base',
        otherBase: false,
      });
      return ggufExport(source, 'f32', 'x.gguf');
    };
    await expect(changed('tokenizer.json', '"NFC"', '"Lowercase"')).rejects.toThrow(
      'base/tokenizer.json: the normalizer "Lowercase" is none that llama.cpp has; choose the form merged, or convert that with llama.cpp.',
    );
    await expect(
      changed('tokenizer.json', '"add_prefix_space": false', '"add_prefix_space": true'),
    ).rejects.toThrow(
      /^base\/tokenizer\.json: pre_tokenizer is \{.*, which is none that llama\.cpp has a name for/,
    );
    await expect(
      changed(
        'config.json',
        '"rope_type": "default"',
        '"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 64',
      ),
    ).rejects.toThrow(
      'base/config.json: rope_type is "llama3" in a qwen2 model, which llama.cpp has for llama only',
    );
  });

  it('names the pre-tokenizers of models', () => {
    const llama3 =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    const split = (Regex: string) => ({
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
      ],
    });
    const name = (pre_tokenizer: unknown, ignore_merges = false) =>
      preTokenizerName({ pre_tokenizer, model: { ignore_merges } });
    expect(name(split(llama3), true)).toBe('llama-bpe');
    expect(name(split(llama3))).toBe('smaug-bpe');
    expect(name(split(llama3.replace('{1,3}', '')))).toBe('qwen2');
    expect(name(split(llama3.replace('{1,3}', '')), true)).toBeUndefined();
    const bytes = { type: 'ByteLevel', add_prefix_space: false, use_regex: true };
    expect(name(bytes)).toBe('gpt-2');
    const digits = { type: 'Digits', individual_digits: true };
    expect(name({ type: 'Sequence', pretokenizers: [digits, bytes] })).toBe('smollm');
    expect(name(split('\\w+'))).toBeUndefined();
    expect(name(null)).toBeUndefined();
  });

  it.each([
    [134_515_008, '135M'],
    [1_543_714_304, '1.5B'],
    [7_615_616_512, '7.6B'],
    [448_000, '448K'],
  ])('%i parameters are %s', (parameters, label) => expect(sizeLabel(parameters)).toBe(label));
});

describe('an adapter as GGUF', () => {
  it('scales by its alpha alone, whatever each module has', async () => {
    const source = await caseSource('rank_pattern');
    const { metadata, tensors } = readGguf(
      await contentOf(ggufLoraExport(source, 'F32', 'x.gguf').files[0]!),
    );
    const alpha = metadata.get('adapter.lora.alpha') as number;
    expect(metadata.get('general.type')).toBe('adapter');
    const values = (name: string) => bytesToF32(tensors.get(name)!.data);
    for (const { module, A, B } of source.adapter.sources.filter(
      ({ module }) => module.projection === 'down_proj',
    )) {
      const name = `blk.${module.layer}.ffn_down.weight`;
      expect(tensors.get(`${name}.lora_a`)!.dims).toEqual([module.inFeatures, module.r]);
      const raw = new Uint8Array(B.end - B.begin);
      await B.source.read(B.begin, raw);
      const own = bytesToF32(raw);
      const scaled = values(`${name}.lora_b`);
      own.forEach((value, i) => {
        expect(scaled[i]! * (alpha / module.r)).toBeCloseTo(value * module.scaling, 6);
      });
      expect(A.shape).toEqual([module.r, module.inFeatures]);
    }
    expect(tensors.size).toBe(2 * source.adapter.sources.length);
  });
});
