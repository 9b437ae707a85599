import { join } from 'node:path';
import { isRecord } from '../formats/fields.ts';
import { readJson } from '../formats/json.ts';
import { MAX_BYTES } from '../formats/read-text.ts';
import { UserError } from '../formats/user-error.ts';
import type { BestVariants, TuningCache } from '../gpu/autotune/tuning-results.ts';
import { defaultCacheFolder } from './cache-folder.ts';
import { replaceFiles } from './durable-files.ts';
import { nodeSource } from './node-files.ts';
import { webgpuVersion } from './webgpu-version.ts';

/** Beside the quantized bases, but not one of them: their names do not start with a dot. */
const FILE = '.tuning.json';

/**
 * Tuning results of this computer's devices in a JSON file, separately for each version of Dawn. A broken or
 * unwritable file is ignored.
 */
export class TuningFile implements TuningCache {
  readonly #path: string | undefined;
  readonly #compiler: () => string;

  constructor(path = defaultPath(), compiler = webgpuVersion) {
    this.#path = path;
    this.#compiler = compiler;
  }

  async get(device: string): Promise<BestVariants | undefined> {
    return (await this.#read())[this.#key(device)];
  }

  async set(device: string, best: BestVariants): Promise<void> {
    if (this.#path === undefined) {
      return;
    }
    const all = { ...(await this.#read()), [this.#key(device)]: best };
    const text = new TextEncoder().encode(`${JSON.stringify(all, null, 2)}\n`);
    await replaceFiles([[this.#path, [text]]]).catch((error: unknown) => {
      if (!(error instanceof UserError)) {
        throw error;
      }
    });
  }

  #key(device: string): string {
    return `${this.#compiler()}, ${device}`;
  }

  async #read(): Promise<Record<string, BestVariants>> {
    if (this.#path === undefined) {
      return {};
    }
    try {
      const json = await readJson(await nodeSource(this.#path), {}, MAX_BYTES.config);
      return isRecord(json) ? Object.fromEntries(Object.entries(json).filter(isSound)) : {};
    } catch (error) {
      if (!(error instanceof UserError)) {
        throw error;
      }
      return {};
    }
  }
}

function defaultPath(): string | undefined {
  const folder = defaultCacheFolder();
  return folder && join(folder, FILE);
}

const isSound = (entry: [string, unknown]): entry is [string, BestVariants] =>
  isRecord(entry[1]) && Object.values(entry[1]).every((name) => typeof name === 'string');
