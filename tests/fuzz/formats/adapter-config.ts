import { readAdapter } from '../../../src/formats/adapter.ts';
import { checkAdapter } from '../../../src/formats/adapter-check.ts';
import { parseAdapterConfig, writeAdapterConfig } from '../../../src/formats/adapter-config.ts';
import { parseDecoderConfig } from '../../../src/formats/decoder-config.ts';
import { parseJson } from '../../../src/formats/json.ts';
import { openSafetensors } from '../../../src/formats/safetensors.ts';
import { memoryFolder, source } from '../../support/memory-folder.ts';
import { CASES, fixture, fixtures } from '../fixtures.ts';
import { expectSame, INPUT, textOf, type Format } from '../format.ts';
import { mutateJson } from '../mutate/json.ts';

const FILE = 'adapter_config.json';
const WEIGHTS = 'adapter_model.safetensors';
/** The base's, which an input brings along since the adapter is read against it. */
const BASE = 'base-config.json';
const WORDS = [
  ...[
    '"all-linear"',
    '["q_proj"]',
    '["q_proj","v_proj"]',
    '"q_proj"',
    '".*_proj"',
    '"(([a-z._0-9]+)+)+!"',
    '"(?P<x>q)_proj"',
  ],
  ...[
    '"(a+)+$"',
    '"(.*a){25}"',
    '"(?<!x)q_proj"',
    '"\\\\Aq\\\\Z"',
    '"["',
    '"(?i)q_proj"',
    '"(?#note)q"',
    '"q{,3}"',
    '"\\\\p{L}"',
  ],
  ...[
    '"none"',
    '"all"',
    '"pissa"',
    '"gaussian"',
    '"LORA"',
    '[0]',
    '[0,1]',
    '"layers"',
    '{"q_proj":8}',
    '{"(a+)+!":8}',
  ],
  ...[
    '{"^model.layers.0.*q_proj":4}',
    '{"":1}',
    '"lm_head"',
    '{"q_proj":1e9}',
    JSON.stringify('q|'.repeat(5000)),
    '1e308',
  ],
  JSON.stringify('('.repeat(2000)),
  JSON.stringify('(a|'.repeat(1000) + 'b' + ')'.repeat(1000)),
];

/** adapter_config.json, beside weights that stay as they are, with its base and without. */
export const adapterConfig: Format = {
  name: 'adapter_config',
  cut: [FILE],
  seeds: () =>
    CASES.map((name) => ({
      ...fixtures(`cases/${name}/v1`),
      [BASE]: fixture(`cases/${name}/base/config.json`),
    })),
  mutate: (random, files) => ({ ...files, [FILE]: mutateJson(random, files[FILE]!, WORDS) }),
  async read({ [BASE]: base, ...files }) {
    const folder = memoryFolder(INPUT, { ...files });
    const { config } = await readAdapter(folder, parseDecoderConfig(parseJson(textOf(base!)), BASE));
    await checkAdapter(await openSafetensors(source(`${INPUT}/${WEIGHTS}`, files[WEIGHTS]!)), config);
    const { raw, ...written } = parseAdapterConfig(
      parseJson(writeAdapterConfig(config), { keepFloats: true }),
      config.file,
    );
    expectSame(written, { ...config, raw: undefined }, 'written and read again');
    expectSame(raw, { ...config.raw, inference_mode: true }, 'every key written and read again');
  },
};
