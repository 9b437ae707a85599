import { UserError } from '../formats/user-error.ts';
import { checkChatTemplate } from './chat-template.ts';
import type { TextTokenizer } from './tokenizer.ts';

/** The note that some tokens have no row in the model's embedding, without a full stop; undefined if all have one. */
export const tableNote = ({ vocabSize }: TextTokenizer, tableRows: number): string | undefined =>
  vocabSize > tableRows
    ? `tokenizer.json has ids up to ${vocabSize - 1}, but the embedding has ${tableRows} rows: texts with such tokens are refused`
    : undefined;

/** Notes on a valid tokenizer, such as why rows may be refused or differ from Python; one sentence each. */
export function tokenizerNotes(tokenizer: TextTokenizer, tableRows: number): string[] {
  const table = tableNote(tokenizer, tableRows);
  return [...(table === undefined ? [] : [`${table}.`]), ...tokenizer.notes, ...templateNotes(tokenizer)];
}

/** An invalid template does not affect rows of plain text. */
function templateNotes(tokenizer: TextTokenizer): string[] {
  try {
    checkChatTemplate(tokenizer);
    return [];
  } catch (error) {
    if (!(error instanceof UserError)) {
      throw error;
    }
    return [error.message];
  }
}
