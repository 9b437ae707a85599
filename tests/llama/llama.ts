import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

// What these tests use of node-llama-cpp, whose package is in this folder only.

type Token = number;
type Asked = Token | [Token, { generateNext: { probabilities: true; options: { temperature: 0 } } }];

interface Sequence {
  controlledEvaluate(
    input: Asked[],
  ): Promise<({ next: { probabilities?: Map<Token, number> } } | undefined)[]>;
  evaluate(tokens: Token[], options: { temperature: 0; yieldEogToken: true }): AsyncIterable<Token>;
  clearHistory(): Promise<void>;
  dispose(): void;
}

interface Context {
  getSequence(): Sequence;
  dispose(): Promise<void>;
}

export interface Model {
  tokenize(text: string, specialTokens: boolean): Token[];
  createContext(options: object): Promise<Context>;
  dispose(): Promise<void>;
  tokens: { bos: Token | null; eos: Token | null; shouldPrependBosToken: boolean };
  fileInfo: { metadata: { tokenizer: { chat_template?: string } } };
}

interface Llama {
  loadModel(options: object): Promise<Model>;
}

const entry = createRequire(import.meta.url).resolve('node-llama-cpp');
const { getLlama } = (await import(/* @vite-ignore */ pathToFileURL(entry).href)) as {
  getLlama(options: object): Promise<Llama>;
};
const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error', maxThreads: 1 });

/** A GGUF file in llama.cpp, and perhaps an adapter on it. */
export class LlamaModel {
  readonly model: Model;
  readonly #context: Context;
  readonly #sequence: Sequence;

  private constructor(model: Model, context: Context) {
    this.model = model;
    this.#context = context;
    this.#sequence = context.getSequence();
  }

  static async open(modelPath: string, lora?: string): Promise<LlamaModel> {
    const model = await llama.loadModel({ modelPath });
    const context = await model.createContext({
      contextSize: 512,
      batchSize: 512,
      ...(lora === undefined ? {} : { lora: { adapters: [{ filePath: lora, scale: 1 }] } }),
    });
    return new LlamaModel(model, context);
  }

  /** The log-probabilities of the next token, by id. */
  async logProbabilities(ids: readonly number[]): Promise<number[]> {
    await this.#sequence.clearHistory();
    const asked: Asked[] = [...ids];
    asked[ids.length - 1] = [
      ids.at(-1)!,
      { generateNext: { probabilities: true, options: { temperature: 0 } } },
    ];
    const results = await this.#sequence.controlledEvaluate(asked);
    const found = results.at(-1)!.next.probabilities!;
    const all: number[] = [];
    for (const [id, probability] of found) {
      all[id] = Math.log(probability);
    }
    return all;
  }

  /** The most likely tokens after these, up to `count` or the first of `stops`. */
  async greedy(ids: readonly number[], count: number, stops: readonly number[] = []): Promise<number[]> {
    await this.#sequence.clearHistory();
    const found: number[] = [];
    for await (const id of this.#sequence.evaluate([...ids], { temperature: 0, yieldEogToken: true })) {
      if (stops.includes(id)) {
        break;
      }
      found.push(id);
      if (found.length === count) {
        break;
      }
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sequence.dispose();
    await this.#context.dispose();
    await this.model.dispose();
  }
}
