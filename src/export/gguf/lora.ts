// Reference: llama.cpp, convert_lora_to_gguf.py and src/llama-adapter.cpp (scale).
import { readPair } from '../../formats/adapter.ts';
import { baseName, lastName } from '../card.ts';
import type { FloatType } from '../float-bytes.ts';
import type { Export } from '../output-file.ts';
import { encodeFloats } from '../pieces.ts';
import type { Source } from '../source.ts';
import { f32, ggufFile, type GgufTensor, type MetaValue, string } from './file.ts';
import { interleaveHalves } from './model.ts';
import { ggufName, isInterleaved } from './tensor-names.ts';

/** The adapter alone in llama.cpp's form, for those who have the base as GGUF. */
export function ggufLoraExport(source: Source, type: FloatType, path: string): Export {
  const { base, adapter, adapterFolder } = source;
  const { loraAlpha: alpha } = adapter.config;
  const tensors = adapter.sources.flatMap((pair): GgufTensor[] => {
    const { module } = pair;
    const { r, inFeatures, outFeatures, scaling } = module;
    const name = `${module.name}.weight`;
    // llama.cpp scales by alpha / rank; what an adapter has otherwise, by module or for rsLoRA, goes into B.
    const factor = scaling / (alpha / r);
    return [
      {
        name: `${ggufName(name)}.lora_a`,
        shape: [r, inFeatures],
        type,
        chunks: async function* () {
          yield encodeFloats((await readPair(pair)).A, type, name);
        },
      },
      {
        name: `${ggufName(name)}.lora_b`,
        shape: [outFeatures, r],
        type,
        chunks: async function* () {
          const { B } = await readPair(pair);
          const scaled = factor === 1 ? B : B.map((value) => value * factor);
          const { headDim } = base.config;
          yield encodeFloats(
            isInterleaved(name, base.config) ? interleaveHalves(scaled, headDim, r) : scaled,
            type,
            name,
          );
        },
      },
    ];
  });
  const metadata = new Map<string, MetaValue>([
    ['general.architecture', string(base.config.family)],
    ['general.type', string('adapter')],
    ['adapter.type', string('lora')],
    ['general.name', string(lastName(adapterFolder.name))],
    ['general.base_model.count', { kind: 'u32', value: 1 }],
    ['general.base_model.0.name', string(baseName(source))],
    ['adapter.lora.alpha', f32(alpha)],
  ]);
  return { files: [ggufFile(path, metadata, tensors)], notes: source.notes };
}
