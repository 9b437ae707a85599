import type { Recipe } from '../formats/recipe.ts';
import type { Stream } from '../gpu/stream.ts';
import { Activations } from '../model/activations.ts';
import { Lora } from '../model/lora.ts';
import type { DecoderWeights } from '../model/weights.ts';
import { passTokens } from '../run/plan/pass-size.ts';
import type { EncodedRow } from '../text/rows.ts';
import { evaluate } from '../train/evaluate.ts';
import { PassRunner } from '../train/step.ts';

/** Mean token loss over validation rows as a run reports it (eval_loss), and exp of it (perplexity). */
export interface EvalLoss {
  loss: number;
  perplexity: number;
  rows: number;
}

/** Evaluates one adapter after another on the same rows: forward only, with memory for one layer's activations. */
export class Evaluator {
  readonly #stream: Stream;
  readonly #base: DecoderWeights;
  readonly #rows: readonly EncodedRow[];
  readonly #batch: number;
  readonly #acts: Activations;
  /** Stands for the base alone. */
  readonly #none: Lora;

  /** `rank`: the largest of the adapters. Allocates on the device. */
  constructor(
    stream: Stream,
    base: DecoderWeights,
    rows: readonly EncodedRow[],
    rank: number,
    recipe: Recipe,
  ) {
    const lengths = rows.map(({ ids }) => ids.length);
    this.#stream = stream;
    this.#base = base;
    this.#rows = rows;
    this.#batch = recipe.training.evalBatchSize;
    this.#none = new Lora(stream.gpu, [], base.config.layers, false);
    this.#acts = new Activations(stream.gpu, {
      config: base.config,
      headFormat: base.head.format,
      tokens: passTokens(
        Math.max(...lengths),
        lengths.reduce((sum, length) => sum + length, 0),
      ),
      rank,
      training: false,
    });
  }

  /** Rejects with the signal's reason if stopped. */
  async evaluate(
    lora: Lora | undefined,
    onProgress: (done: number) => void,
    signal: AbortSignal | undefined,
  ): Promise<EvalLoss> {
    const { gpu } = this.#stream;
    const { tokens } = this.#acts.shape;
    const engine = {
      gpu,
      stream: this.#stream,
      base: this.#base,
      lora: lora ?? this.#none,
      acts: this.#acts,
    };
    const runner = new PassRunner(engine, tokens);
    onProgress(0);
    try {
      const call = { batch: this.#batch, passTokens: tokens, onProgress, signal };
      const { loss, rows } = await evaluate(runner, this.#rows, call);
      return { loss, perplexity: Math.exp(loss), rows };
    } finally {
      runner.close();
    }
  }

  close(): void {
    this.#acts.close();
    this.#none.close();
  }
}
