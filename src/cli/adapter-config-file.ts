import { type AdapterConfig, parseAdapterConfig } from '../formats/adapter-config.ts';
import type { Folder } from '../formats/byte-source.ts';
import { readJson } from '../formats/json.ts';
import { MAX_BYTES } from '../formats/read-text.ts';

/** An adapter's adapter_config.json, if it is there. Throws UserError. */
export async function readOwnAdapterConfig(adapter: Folder | undefined): Promise<AdapterConfig | undefined> {
  const json = await adapter?.open('adapter_config.json');
  return json && parseAdapterConfig(await readJson(json, { keepFloats: true }, MAX_BYTES.config), json.name);
}
