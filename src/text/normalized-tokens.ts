import { quote } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';
import type { AddedTokens, Hiding, Recognise, Stretch } from './added-tokens.ts';

/** A normalized text, and its stretches. */
interface Split {
  normal: string;
  stretches: Stretch[];
}

export const splitNormal = (added: AddedTokens, normal: string, recognise: Recognise): Split => ({
  normal,
  stretches: added.splitNormalized(normal, recognise),
});

/**
 * Normalizes a piece of a chat and cuts it at the tokens that are looked for in normalized text. Those that the template
 * writes are real; those that a user's text spells out are hidden and stay text. Throws UserError where normalizing makes
 * a control token of something that is none as it stands, such as `<|IM_END|>` in small letters.
 */
export function splitHidden(
  added: AddedTokens,
  text: string,
  normalize: (text: string) => string,
  hiding: Hiding,
): Split {
  const normal = normalize(text);
  const stretches = added.splitNormalized(normal, 'all', hiding);
  const found = stretches.flatMap(({ token }) => (token?.special ? [token.content] : []));
  for (const content of new Set(found)) {
    const times = found.filter((one) => one === content).length;
    if (times > text.split(content).length - 1)
      throw new UserError(
        `a text in it becomes the control token ${quote(content)} once the tokenizer has normalized it; change the text`,
      );
  }
  if (!hiding.hides(text)) return { normal, stretches };
  // The hidden text counts for normalizing what stands beside it, too, as long as there is nothing to tell it from.
  if (found.length === 0) return splitNormal(added, normalize(hiding.reveal(text)), 'ordinary');
  throw new UserError(
    'it spells out a control token beside real ones, and the tokenizer looks for them only after normalizing the text; change the text',
  );
}
