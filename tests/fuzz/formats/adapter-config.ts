import { readAdapter } from '../../../src/formats/adapter.ts';
import { checkAdapter } from '../../../src/formats/adapter-check.ts';
import { parseAdapterConfig, writeAdapterConfig } from '../../../src/formats/adapter-config.ts';
import { parseDecoderConfig } from '../../../src/formats/decoder-config.ts';
import { parseJson } from '../../../src/formats/json.ts';
import { openSafetensors } from '../../../src/formats/safetensors.ts';
import { source } from '../../support/memory-folder.ts';
import { CASES, fixture, fixtures } from '../fixtures.ts';
import { bytesOf, expectSame, folderOf, type Format, INPUT, textOf } from '../format.ts';
import { mutateJson } from '../mutate/json.ts';

const FILE = 'adapter_config.json';
const WEIGHTS = 'adapter_model.safetensors';
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

/** adapter_config.json of a case, beside weights that stay as they are, with the base's configuration and without. */
export const adapterConfig: Format = {
  name: 'adapter_config',
  cut: [FILE],
  seeds: () => CASES.map((name) => ({ ...fixtures(`cases/${name}/v1`), case: bytesOf(name) })),
  mutate: (random, files) => ({ ...files, [FILE]: mutateJson(random, files[FILE]!, WORDS) }),
  async read({ case: name, ...files }) {
    const folder = folderOf(files);
    const base = parseJson(textOf(fixture(`cases/${textOf(name!)}/base/config.json`)));
    const { config } = await readAdapter(folder, parseDecoderConfig(base, 'config.json'));
    await checkAdapter(await openSafetensors(source(`${INPUT}/${WEIGHTS}`, files[WEIGHTS]!)), config);
    const { raw, ...written } = parseAdapterConfig(
      parseJson(writeAdapterConfig(config), { keepFloats: true }),
      config.file,
    );
    expectSame(written, { ...config, raw: undefined }, 'written and read again');
    expectSame(raw, { ...config.raw, inference_mode: true }, 'every key written and read again');
  },
};
