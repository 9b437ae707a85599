// References: llama.cpp, conversion/base.py and conversion/llama.py (metadata, order of rows, RoPE factors) and
// gguf-py/gguf/constants.py (names).
import type { DecoderConfig } from '../../formats/decoder-config.ts';
import { UserError } from '../../formats/user-error.ts';
import { baseName, lastName } from '../card.ts';
import type { Export } from '../output-file.ts';
import { rowPieces } from '../pieces.ts';
import type { Source } from '../source.ts';
import { columnsOf, type MergedTensor, mergedTensors } from '../weights.ts';
import { encodeAs } from './encode.ts';
import { f32, type GgmlType, ggufFile, type GgufTensor, type MetaValue, string, u32 } from './file.ts';
import { ggufName, isInterleaved, roleOf } from './tensor-names.ts';
import { GGUF_TYPES, type GgufType, weightType } from './tensor-types.ts';
import { type GgufVocabulary, vocabularyOf } from './vocabulary.ts';

/** One GGUF file of the merged model. Throws UserError for what llama.cpp cannot have. */
export async function ggufExport(source: Source, type: GgufType, path: string): Promise<Export> {
  const { base, adapterFolder } = source;
  const { config } = base;
  checkRope(config, base.configFile.name);
  const vocabulary = await vocabularyOnce(source);
  const merged = mergedTensors(source);
  const parameters = merged.reduce((sum, { shape }) => sum + shape.reduce((all, n) => all * n, 1), 0);
  const metadata = new Map<string, MetaValue>([
    ['general.architecture', string(config.family)],
    ['general.type', string('model')],
    ['general.name', string(`${lastName(baseName(source))} ${lastName(adapterFolder.name)}`)],
    ['general.size_label', string(sizeLabel(parameters))],
    ...architecture(config),
    ['general.file_type', u32(GGUF_TYPES[type])],
    ['general.quantization_version', u32(2)],
    ...vocabulary.metadata,
  ]);
  const tensors = merged.map((tensor) => ggufTensor(tensor, type, config));
  return {
    files: [ggufFile(path, metadata, [...tensors, ...ropeFactors(config)])],
    notes: [...source.notes, ...vocabulary.notes],
  };
}

/** Sizes are asked in every type, and a tokenizer has megabytes. */
const vocabularies = new WeakMap<Source, Promise<GgufVocabulary>>();

function vocabularyOnce(source: Source): Promise<GgufVocabulary> {
  const known = vocabularies.get(source) ?? vocabularyOf(source);
  vocabularies.set(source, known);
  return known;
}

/** The decoder's sizes, under the family's name. */
export function architecture(config: DecoderConfig): [string, MetaValue][] {
  const { family, layers, maxPositions, hiddenSize, intermediateSize, heads, kvHeads, headDim } = config;
  const values: [string, MetaValue][] = [
    ['block_count', u32(layers)],
    ['context_length', u32(maxPositions)],
    ['embedding_length', u32(hiddenSize)],
    ['feed_forward_length', u32(intermediateSize)],
    ['attention.head_count', u32(heads)],
    ['attention.head_count_kv', u32(kvHeads)],
    ['attention.key_length', u32(headDim)],
    ['attention.value_length', u32(headDim)],
    ['attention.layer_norm_rms_epsilon', f32(config.rmsNormEps)],
    ['rope.freq_base', f32(config.rope.theta)],
    ['rope.dimension_count', u32(headDim)],
    ['vocab_size', u32(config.vocabSize)],
  ];
  return values.map(([key, value]) => [`${family}.${key}`, value]);
}

function checkRope({ family, rope }: DecoderConfig, file: string): void {
  if (rope.scaling && family !== 'llama') {
    throw new UserError(
      `${file}: rope_type is "llama3" in a ${family} model, which llama.cpp has for llama only; choose the form merged.`,
    );
  }
}

/** How a file of a type stores one of its weights. */
export function storedAs({ name, shape }: MergedTensor, type: GgufType, config: DecoderConfig): GgmlType {
  const { role, layer } = roleOf(name);
  return shape.length < 2 ? 'F32' : weightType(type, role, columnsOf(shape), layer, config);
}

function ggufTensor(tensor: MergedTensor, type: GgufType, config: DecoderConfig): GgufTensor {
  const { name, shape } = tensor;
  const columns = columnsOf(shape);
  const stored = storedAs(tensor, type, config);
  const interleaved = isInterleaved(name, config);
  const rows = interleaved ? config.headDim : 1;
  return {
    name: ggufName(name),
    shape,
    type: stored,
    chunks: async function* () {
      for await (const values of rowPieces(tensor, rows)) {
        yield encodeAs(
          stored,
          interleaved ? interleaveHalves(values, config.headDim, columns) : values,
          name,
        );
      }
    },
  };
}

/**
 * The rows of q and k in llama.cpp's order for Llama: it rotates neighbors, where transformers rotates a head's first
 * half with its second.
 */
export function interleaveHalves(
  values: Float32Array<ArrayBuffer>,
  headDim: number,
  columns: number,
): Float32Array<ArrayBuffer> {
  const out = new Float32Array(values.length);
  for (let row = 0; row < values.length / columns; row++) {
    const inHead = row % headDim;
    const from = row - inHead + (inHead & 1) * (headDim / 2) + (inHead >> 1);
    out.set(values.subarray(from * columns, (from + 1) * columns), row * columns);
  }
  return out;
}

/** By how much Llama 3's scaling divides each pair's frequency. */
function ropeFactors({ headDim, rope }: DecoderConfig): GgufTensor[] {
  const { scaling, theta } = rope;
  if (!scaling) {
    return [];
  }
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = scaling;
  const factors = Float32Array.from({ length: headDim / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * theta ** ((2 * i) / headDim);
    if (wavelength < originalMaxPositions / highFreqFactor) {
      return 1;
    }
    if (wavelength > originalMaxPositions / lowFreqFactor) {
      return factor;
    }
    const smooth = (originalMaxPositions / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
    return 1 / ((1 - smooth) / factor + smooth);
  });
  return [
    {
      name: 'rope_freqs.weight',
      shape: [factors.length],
      type: 'F32',
      chunks: async function* () {
        yield new Uint8Array(factors.buffer);
      },
    },
  ];
}

/** "1.5B", "494M": two digits at least. */
export function sizeLabel(parameters: number): string {
  const [unit, scale] = (
    [
      ['B', 1e9],
      ['M', 1e6],
    ] as const
  ).find(([, size]) => parameters > size) ?? ['K', 1e3];
  const scaled = parameters / scale;
  const digits = String(Math.round(scaled)).replace(/^0/, '').length;
  return `${scaled.toFixed(Math.max(2 - digits, 0))}${unit}`;
}
