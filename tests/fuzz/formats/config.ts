import { openBaseModel } from '../../../src/formats/base-model.ts';
import { ropeInverseFrequencies } from '../../../src/formats/decoder-config.ts';
import { CASES, fixtures } from '../fixtures.ts';
import { expectTrue, folderOf, type Format } from '../format.ts';
import { mutateJson } from '../mutate/json.ts';

const FILE = 'config.json';
const WORDS = [
  ...[
    '"Qwen2ForCausalLM"',
    '"LlamaForCausalLM"',
    '["Qwen3ForCausalLM"]',
    '["MistralForCausalLM"]',
    '"qwen2"',
    '"llama"',
  ],
  ...[
    '64',
    '128',
    '32',
    '2',
    '3000000',
    '4294967296',
    '0.999999',
    '"silu"',
    '"gelu"',
    '{"rope_type":"yarn","factor":4}',
  ],
  ...[
    '{"rope_theta":1e4,"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4}',
    '1e308',
    '1e-300',
  ],
  ...[
    '{"quant_method":"gptq"}',
    '{"quant_method":"bitsandbytes","load_in_4bit":true}',
    '"sliding_attention"',
  ],
];

/** A base's config.json, beside weights that stay as they are. */
export const config: Format = {
  name: 'config',
  cut: [FILE],
  seeds: () => CASES.map((name) => fixtures(`cases/${name}/base`)),
  mutate: (random, files) => ({ ...files, [FILE]: mutateJson(random, files[FILE]!, WORDS) }),
  async read(files) {
    const model = await openBaseModel(folderOf(files));
    const { layers, rmsNormEps } = model.config;
    const angles = ropeInverseFrequencies(model.config);
    expectTrue(
      angles.every((angle) => angle > 0 && Number.isFinite(angle)),
      `RoPE turns by ${angles.join(', ')}`,
    );
    expectTrue(layers > 0 && rmsNormEps > 0, 'sizes are not positive');
    expectTrue(
      model.eosIds.every((id) => Number.isSafeInteger(id) && id >= 0),
      `eos ids are ${model.eosIds.join(', ')}`,
    );
  },
};
