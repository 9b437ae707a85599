import { ChatTemplate } from '../text/chat-template.ts';
import type { Moment } from '../text/moment.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';

/** How a question is presented: the recipe's plain text, or one user turn of the model's chat template. */
export const PROMPT_FORMS = ['text', 'chat'] as const;
export type PromptForm = (typeof PROMPT_FORMS)[number];

/**
 * Encodes questions as prompt ids. Control tokens spelled out in a question stay ordinary text; `moment` is the
 * current date for a chat template that writes it, by default now. Throws UserError if the model has no chat
 * template.
 */
export function promptEncoder(
  tokenizer: TextTokenizer,
  form: PromptForm,
  moment?: Moment,
): (question: string) => number[] {
  if (form === 'text') {
    return (question) => [
      ...tokenizer.prefix,
      ...tokenizer.encode(`### Instruction:\n${question}\n\n### Response:\n`),
    ];
  }
  const template = new ChatTemplate(tokenizer, moment);
  return (question) =>
    template.prompt({
      messages: [
        new Map([
          ['role', 'user'],
          ['content', question],
        ]),
      ],
    });
}

/**
 * The ids that end generation: the end ids of the model's configuration, and the tokenizer's end and padding
 * tokens.
 */
export function stopIds({ eosIds }: { eosIds: readonly number[] }, tokenizer: TextTokenizer): number[] {
  const own = [tokenizer.eosId, tokenizer.padId].filter((id) => id !== undefined);
  return [...new Set([...eosIds, ...own])];
}
