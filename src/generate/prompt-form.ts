import { ChatTemplate } from '../text/chat-template.ts';
import type { Moment } from '../text/moment.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';

/** How a question is presented: the recipe's plain text, or one user turn of the model's chat template. */
export const PROMPT_FORMS = ['text', 'chat'] as const;
export type PromptForm = (typeof PROMPT_FORMS)[number];

/** A message of a conversation. */
export interface ChatMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

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
  const encode = conversationEncoder(tokenizer, form, moment);
  return (question) => encode([{ role: 'user', content: question }]);
}

/**
 * Encodes conversations that end in the user's message, up to the opening of the assistant's. As plain text a system
 * prompt comes before the first instruction, and the parts are separated by empty lines. Throws as promptEncoder does,
 * and so does what it returns if the chat template refuses a conversation.
 */
export function conversationEncoder(
  tokenizer: TextTokenizer,
  form: PromptForm,
  moment?: Moment,
): (messages: readonly ChatMessage[]) => number[] {
  if (form === 'text') {
    return (messages) => [...tokenizer.prefix, ...tokenizer.encode(asText(messages))];
  }
  const template = new ChatTemplate(tokenizer, moment);
  return (messages) =>
    template.prompt({
      messages: messages.map(
        ({ role, content }) =>
          new Map([
            ['role', role],
            ['content', content],
          ]),
      ),
    });
}

function asText(messages: readonly ChatMessage[]): string {
  const parts = messages.map(({ role, content }) => {
    switch (role) {
      case 'system':
        return content;
      case 'user':
        return `### Instruction:\n${content}`;
      case 'assistant':
        return `### Response:\n${content}`;
    }
  });
  return [...parts, '### Response:\n'].join('\n\n');
}

/**
 * The ids that end generation: the end ids of the model's configuration, and the tokenizer's end and padding
 * tokens.
 */
export function stopIds({ eosIds }: { eosIds: readonly number[] }, tokenizer: TextTokenizer): number[] {
  const own = [tokenizer.eosId, tokenizer.padId].filter((id) => id !== undefined);
  return [...new Set([...eosIds, ...own])];
}
