import { quote } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';
import type { AddedTokens, Hiding, Recognize, Stretch } from './added-tokens.ts';

/** A normalized text and its stretches. */
interface Split {
  normal: string;
  stretches: Stretch[];
}

export const splitNormal = (added: AddedTokens, normal: string, recognize: Recognize): Split => ({
  normal,
  stretches: added.splitNormalized(normal, recognize),
});

/**
 * Normalizes a piece of a chat and splits it at the tokens matched in normalized text. Those that the template
 * writes are real; those that a user's text spells out are escaped and stay text. Throws UserError if normalization
 * turns text into a control token, such as `<|IM_END|>` into lower case.
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
    if (times > text.split(content).length - 1) {
      throw new UserError(
        `a text in it becomes the control token ${quote(content)} once the tokenizer has normalized it; change the text`,
      );
    }
  }
  if (!hiding.hides(text)) {
    return { normal, stretches };
  }
  // The escaped text also affects how its neighbors normalize, as long as nothing distinguishes it from them.
  if (found.length === 0) {
    return splitNormal(added, normalize(hiding.reveal(text)), 'ordinary');
  }
  throw new UserError(
    'it spells out a control token beside real ones, and the tokenizer looks for them only after normalizing the text; change the text',
  );
}
