/** A reasoning model's output: its thoughts, if it begins with any, and the answer after them. */
interface SplitAnswer {
  /** Undefined if the text has none. */
  thoughts: string | undefined;
  answer: string;
}

const [OPEN, CLOSE] = ['<think>', '</think>'];

/**
 * Separates a leading `<think>…</think>` from the answer, because only the answer is compared and scored. The
 * opening tag may be missing, since some templates write it into the prompt. Thoughts that never end count as the
 * answer.
 */
export function splitThoughts(text: string): SplitAnswer {
  const begin = text.trimStart().startsWith(OPEN) ? text.indexOf(OPEN) + OPEN.length : 0;
  const end = text.indexOf(CLOSE, begin);
  if (end < 0) {
    return { thoughts: undefined, answer: text };
  }
  return { thoughts: text.slice(begin, end).trim(), answer: text.slice(end + CLOSE.length).trimStart() };
}
