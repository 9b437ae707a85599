import { readAdapter } from '../formats/adapter.ts';
import type { LoraModule } from '../formats/lora-modules.ts';
import { stopIds } from '../generate/prompt-form.ts';
import { checkSampling } from '../generate/sampling.ts';
import { TextGenerator } from '../generate/text-generator.ts';
import { Stream } from '../gpu/stream.ts';
import { loadBase } from '../model/base/load.ts';
import { Lora } from '../model/lora.ts';
import type { DecoderWeights } from '../model/weights.ts';
import { generationPlan, withinMemory } from '../run/plan/memory-plan.ts';
import { type BatchProgress, runBatchTest, type TestAnswer } from './batch-test.ts';
import { type PreparedVersions, prepareVersions } from './prepare-versions.ts';
import { Evaluator } from './version-loss.ts';
import { type AskVersionsOptions, failing, type VersionToTest } from './versions.ts';

/**
 * Asks all versions all questions; the versions share one base and run one after another. An error in a version
 * ends that version only, and a question for which the model lacks positions is skipped. Throws UserError for
 * everything else.
 */
export async function askVersions(call: AskVersionsOptions): Promise<void> {
  checkSampling(call.sampling);
  const prepared = await prepareVersions(call);
  if (!prepared) {
    return;
  }
  const test = await VersionsTest.load(call, prepared);
  await test.computeLosses();
  await test.askQuestions();
}

/** Versions that take turns on one loaded base. */
class VersionsTest {
  readonly #call: AskVersionsOptions;
  readonly #prepared: PreparedVersions;
  readonly #stream: Stream;
  readonly #base: DecoderWeights;
  readonly #within: <T>(allocate: () => Promise<T>) => Promise<T>;

  private constructor(
    call: AskVersionsOptions,
    prepared: PreparedVersions,
    stream: Stream,
    base: DecoderWeights,
    within: <T>(allocate: () => Promise<T>) => Promise<T>,
  ) {
    this.#call = call;
    this.#prepared = prepared;
    this.#stream = stream;
    this.#base = base;
    this.#within = within;
  }

  /** Opens a device and loads the base onto it. Throws UserError. */
  static async load(call: AskVersionsOptions, prepared: PreparedVersions): Promise<VersionsTest> {
    const { model, opened, shape, rows } = prepared;
    const { shorter, emit, signal } = call;
    const doubleQuant = call.recipe.quantization.useDoubleQuant;
    const gpu = await call.openGpu();
    const modules = largest(opened.map((version) => version.modules));
    const plan = generationPlan({ model, doubleQuant, modules, shape });
    const within = <T>(allocate: () => Promise<T>): Promise<T> =>
      withinMemory(gpu, plan, allocate, `${shorter}, or close other programs that use the GPU`);
    const cache = await call.baseCache?.slot(model, doubleQuant);
    if (cache?.content !== undefined) {
      emit({ type: 'base', hash: cache.content });
    }
    const base = await within(() =>
      loadBase(gpu, model, {
        cache,
        doubleQuant,
        positions: Math.max(shape.capacity, ...rows.map(({ ids }) => ids.length)),
        onProgress: (done, total) => {
          emit({ type: 'phase', phase: 'loading the base', done, total, unit: 'bytes' });
          signal?.throwIfAborted();
        },
      }),
    );
    return new VersionsTest(call, prepared, new Stream(gpu), base, within);
  }

  /** The loss of every version that wants one, if there are validation rows. */
  async computeLosses(): Promise<void> {
    const { rows, rank } = this.#prepared;
    const { recipe, emit, signal } = this.#call;
    if (rows.length === 0) {
      return;
    }
    const evaluator = await this.#within(
      async () => new Evaluator(this.#stream, this.#base, rows, rank, recipe),
    );
    await this.#inTurn(
      ({ lossWanted }) => lossWanted,
      async (version, lora) => {
        const onProgress = (done: number): void =>
          emit({ type: 'phase', phase: 'evaluating', done, total: rows.length, unit: 'rows' });
        emit({ type: 'loss', version, loss: await evaluator.evaluate(lora, onProgress, signal) });
      },
    );
    evaluator.close();
  }

  /** The answers of every version to the questions that it has not answered yet. */
  async askQuestions(): Promise<void> {
    const { model, tokenizer, prompts, refused, shape } = this.#prepared;
    const { questions, versions, maxNewTokens, sampling, seed, emit, signal } = this.#call;
    const generator = await this.#within(async () => new TextGenerator(this.#stream, this.#base, shape));
    const options = { maxNewTokens, sampling, seed, signal, stopIds: stopIds(model, tokenizer) };
    const unanswered = ({ answered }: VersionToTest): number[] =>
      questions.flatMap((_, i) => (answered.has(i) || refused[i] ? [] : [i]));
    await this.#inTurn(
      (version) => unanswered(version).length > 0,
      async (version, lora) => {
        const numbers = unanswered(versions[version]!);
        const asked = numbers.map((i) => prompts[i]!);
        const onProgress = (progress: BatchProgress): void => emit({ type: 'answering', version, progress });
        const onAnswer = (i: number, answer: TestAnswer): void =>
          emit({ type: 'answer', version, question: numbers[i]!, answer });
        onProgress({ answered: 0, questions: asked.length, tokens: 0 });
        const hear = { onProgress, onAnswer };
        await runBatchTest(generator, tokenizer, asked, { ...options, lora, numbers }, hear);
      },
    );
    generator.close();
  }

  /** Loads the adapters of the versions that are `wanted` onto the device, one after another. */
  async #inTurn(
    wanted: (version: VersionToTest) => boolean,
    work: (version: number, lora: Lora | undefined) => Promise<void>,
  ): Promise<void> {
    const { config } = this.#prepared.model;
    for (const { version, folder } of this.#prepared.opened) {
      if (!wanted(this.#call.versions[version]!)) {
        continue;
      }
      await failing(this.#call, version, async () => {
        const adapter = folder && (await readAdapter(folder, config));
        const { gpu } = this.#stream;
        const lora =
          adapter && (await this.#within(async () => new Lora(gpu, adapter.weights, config.layers, false)));
        try {
          await work(version, lora);
        } finally {
          lora?.close();
        }
      });
    }
  }
}

/** The modules of the adapter that takes the most memory. */
function largest(adapters: readonly (readonly LoraModule[])[]): readonly LoraModule[] {
  const size = (modules: readonly LoraModule[]): number =>
    modules.reduce((sum, { r, inFeatures, outFeatures }) => sum + r * (inFeatures + outFeatures), 0);
  return adapters.reduce((most, modules) => (size(modules) > size(most) ? modules : most), []);
}
