import { stopIds } from '../../generate/prompt-form.ts';
import { GREEDY } from '../../generate/sampling.ts';
import type { Prepared } from '../input/prepare.ts';
import type { FinetuneOptions } from '../options.ts';
import type { Session } from '../session.ts';
import type { SampleLog } from './film.ts';

interface AnswerOptions extends Pick<FinetuneOptions, 'emit' | 'signal'> {
  /** What was answered before, and where the answers go. */
  log: SampleLog;
  onPassEnd: () => Promise<void>;
}

/**
 * Answers the sample prompts that have no answer after `step` yet, greedily, with the adapter as it is. Each answer is
 * in the log as soon as it is complete.
 */
export async function answerSamples(
  { generator, lora }: Session,
  { samples, model, tokenizer }: Prepared,
  step: number,
  { log, emit, signal, onPassEnd }: AnswerOptions,
): Promise<void> {
  const asked = log.missing(step);
  if (!generator || !samples || asked.length === 0) {
    return;
  }
  const total = samples.prompts.size;
  let done = total - asked.length;
  const tell = (): void =>
    emit({ type: 'phase', phase: 'answering sample prompts', done, total, unit: 'prompts' });
  tell();
  await generator.generate(
    asked.map((prompt) => samples.prompts.get(prompt)!),
    lora,
    {
      ...{ maxNewTokens: samples.maxNewTokens, sampling: GREEDY, seed: 0, signal, onPassEnd },
      stopIds: stopIds(model, tokenizer),
      onEnd: (i, { ids, stopped }) => {
        const text = tokenizer.decode(ids, { skipSpecial: true }).trim();
        const answer = log.add(step, asked[i]!, { text, cut: stopped === 'length' });
        done++;
        tell();
        emit({ type: 'sample', prompt: asked[i]!, answer });
      },
    },
  );
}
