import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeFolder } from '../../src/cli/node-files.ts';
import { readAdapter } from '../../src/formats/adapter.ts';
import { type BaseModel, openBaseModel } from '../../src/formats/base-model.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { loadBase } from '../../src/model/base/load.ts';
import { Lora } from '../../src/model/lora.ts';
import type { DecoderWeights } from '../../src/model/weights.ts';
import { loadTokenizer } from '../../src/text/load-tokenizer.ts';
import type { TextTokenizer } from '../../src/text/tokenizer.ts';

/** The whole models of tests/fixtures/cases, small, with what PyTorch computes from them. */
export const CASES = [
  'recipe_text',
  'chat_messages',
  'llama_sharded',
  'qwen3',
  'prequant',
  'dynamic',
  'untied_head',
  'batch2',
  'rank_pattern',
] as const;
export type CaseName = (typeof CASES)[number];

type Who = 'base' | 'v1' | 'v2';

/** The part of expected.json that generation is measured by. The two oldest cases lack what is optional. */
export type Expected = Record<'prompt' | `${Who}_text`, string> &
  Record<'prompt_ids' | 'base_logits' | 'v1_logits' | `${Who}_greedy`, number[]> & {
    v2_logits?: number[];
    greedy_answers?: Record<Who, string>[];
  };

const FOLDERS = { v1: 'v1', v2: 'expected/v2' };

/** One case, opened: its base on the device and its adapters on request. */
export class ModelCase {
  readonly name: CaseName;
  readonly model: BaseModel;
  readonly base: DecoderWeights;
  readonly tokenizer: TextTokenizer;
  readonly expected: Expected;
  readonly #gpu: Gpu;

  private constructor(
    name: CaseName,
    gpu: Gpu,
    opened: { model: BaseModel; base: DecoderWeights; tokenizer: TextTokenizer },
  ) {
    this.name = name;
    this.#gpu = gpu;
    this.model = opened.model;
    this.base = opened.base;
    this.tokenizer = opened.tokenizer;
    this.expected = JSON.parse(this.text('expected/expected.json')) as Expected;
  }

  /** `positions`: rows of the rotary table. */
  static async open(gpu: Gpu, name: CaseName, positions = 256): Promise<ModelCase> {
    const folder = await nodeFolder(casePath(name, 'base'));
    const model = await openBaseModel(folder);
    const recipe = readFileSync(casePath(name, 'training_config.yaml'), 'utf8');
    const doubleQuant = /bnb_4bit_use_double_quant: true/.test(recipe);
    const base = await loadBase(gpu, model, { doubleQuant, positions });
    return new ModelCase(name, gpu, { model, base, tokenizer: await loadTokenizer(folder) });
  }

  /** The adapter on the device, with gradients where it is `trained`; undefined for the base alone. */
  async lora(who: Who, trained = false): Promise<Lora | undefined> {
    if (who === 'base') {
      return undefined;
    }
    const folder = await nodeFolder(casePath(this.name, FOLDERS[who]));
    const { config } = this.model;
    const { weights } = await readAdapter(folder, config);
    return new Lora(this.#gpu, weights, config.layers, trained);
  }

  /** A file of the case as text. */
  text(path: string): string {
    return readFileSync(casePath(this.name, path), 'utf8');
  }
}

/** The path of a file of a case. */
export function casePath(name: CaseName, path: string): string {
  return join(fileURLToPath(new URL('../fixtures/cases', import.meta.url)), name, path);
}
