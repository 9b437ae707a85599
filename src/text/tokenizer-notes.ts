import { UserError } from '../formats/user-error.ts';
import { checkChatTemplate } from './chat-template.ts';
import type { TextTokenizer } from './tokenizer.ts';

/** That tokens have no row in the model's embedding, without a full stop; undefined where all have one. */
export const tableNote = ({ vocabSize }: TextTokenizer, tableRows: number): string | undefined =>
  vocabSize > tableRows
    ? `tokenizer.json has ids up to ${vocabSize - 1}, but the embedding has ${tableRows} rows: texts with such tokens are refused`
    : undefined;

/** What is to be known of a tokenizer that is sound: what rows may be refused for, a sentence each. */
export function tokenizerNotes(tokenizer: TextTokenizer, tableRows: number): string[] {
  const table = tableNote(tokenizer, tableRows);
  return [...(table === undefined ? [] : [`${table}.`]), ...templateNotes(tokenizer)];
}

/** A template that does not load is in no way of rows that are text. */
function templateNotes(tokenizer: TextTokenizer): string[] {
  try {
    checkChatTemplate(tokenizer);
    return [];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [error.message];
  }
}
