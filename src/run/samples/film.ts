import { isRecord } from '../../formats/fields.ts';
import { RECIPE } from '../../formats/recipe/settings.ts';

/** An answer to a sample prompt. */
export interface SampleAnswer {
  /** The optimizer step after which it was given; 0 before the first. */
  readonly step: number;
  /** Index of its prompt. */
  readonly prompt: number;
  /** Without special tokens and surrounding white space. */
  readonly text: string;
  /** It reached the most tokens that an answer may have. */
  readonly cut?: true;
}

/** How the answers to sample prompts change over a run. */
export interface SampleFilm {
  readonly prompts: readonly string[];
  /** In the order in which they were given. */
  readonly answers: readonly SampleAnswer[];
}

/** Answers of a run: more would take longer than the training. */
export const MAX_ANSWERS = 4000;
/** Answers and prompts that are kept of a run whose prompts were changed on the way. */
const MAX_KEPT = { answers: 5 * MAX_ANSWERS, prompts: 8 * RECIPE.training.samplePrompts.most };
/** Characters of an answer: tokens of many spaces are long. */
const MAX_ANSWER = 8000;

/** The film of a run in progress. It is kept with the run's position, since transformers' log has no texts. */
export class SampleLog {
  readonly #prompts: string[];
  #answers: SampleAnswer[];
  /** Where the prompts that are asked now stand among all. */
  readonly #asked: readonly number[];

  /** `prompts`: those that are asked now. `from`: the film of an earlier start of the run. */
  constructor(prompts: readonly string[] = [], from?: SampleFilm) {
    const all = [...new Set([...(from?.prompts ?? []), ...prompts])];
    const goesOn = from !== undefined && all.length <= MAX_KEPT.prompts;
    this.#prompts = goesOn ? all : [...new Set(prompts)];
    this.#answers = goesOn ? [...from.answers] : [];
    this.#asked = [...new Set(prompts)].map((prompt) => this.#prompts.indexOf(prompt));
  }

  /** undefined before the first answer. */
  get film(): SampleFilm | undefined {
    return this.#answers.length === 0
      ? undefined
      : { prompts: [...this.#prompts], answers: [...this.#answers] };
  }

  /** Prompts that are to be answered after `step` and are not yet, in their order. */
  missing(step: number): string[] {
    return this.#asked
      .filter((prompt) => !this.#answers.some((one) => one.step === step && one.prompt === prompt))
      .map((prompt) => this.#prompts[prompt]!);
  }

  add(step: number, prompt: string, { text, cut }: { text: string; cut: boolean }): SampleAnswer {
    const answer: SampleAnswer = {
      step,
      prompt: this.#prompts.indexOf(prompt),
      text: text.slice(0, MAX_ANSWER),
      ...(cut && { cut }),
    };
    this.#answers = [...this.#answers.slice(1 - MAX_KEPT.answers), answer];
    return answer;
  }
}

/** The film after one more answer, which may be the first. */
export function withSample(
  film: SampleFilm = { prompts: [], answers: [] },
  { prompt, answer }: { prompt: string; answer: SampleAnswer },
): SampleFilm {
  const prompts = film.prompts.includes(prompt) ? film.prompts : [...film.prompts, prompt];
  return { prompts, answers: [...film.answers, { ...answer, prompt: prompts.indexOf(prompt) }] };
}

/** Whether this is a film, as a checkpoint or an archive keeps it. */
export function isSampleFilm(value: unknown): value is SampleFilm {
  if (!isRecord(value) || !Array.isArray(value.prompts) || !Array.isArray(value.answers)) {
    return false;
  }
  const { prompts, answers } = value;
  const { longest } = RECIPE.training.samplePrompts;
  const isStep = (step: unknown): boolean => Number.isSafeInteger(step) && (step as number) >= 0;
  const isText = (text: unknown, max: number): boolean => typeof text === 'string' && text.length <= max;
  return (
    prompts.length <= MAX_KEPT.prompts &&
    answers.length <= MAX_KEPT.answers &&
    prompts.every((prompt) => isText(prompt, longest)) &&
    answers.every(
      (answer: unknown) =>
        isRecord(answer) &&
        isStep(answer.step) &&
        isStep(answer.prompt) &&
        (answer.prompt as number) < prompts.length &&
        isText(answer.text, MAX_ANSWER) &&
        (answer.cut === undefined || answer.cut === true),
    )
  );
}

/** A film as lines of JSON, for other programs. */
export const filmLines = ({ prompts, answers }: SampleFilm): string =>
  answers
    .map(({ step, prompt, text }) => `${JSON.stringify({ step, prompt: prompts[prompt], answer: text })}\n`)
    .join('');
