/** What a reasoning model wrote: its thoughts, where it began with any, and the answer after them. */
export interface SplitAnswer {
  /** undefined where the text has none. */
  thoughts: string | undefined;
  answer: string;
}

const [OPEN, CLOSE] = ['<think>', '</think>'];

/**
 * Takes a leading `<think>…</think>` apart from the answer: only the answer is compared and scored. The opening may be
 * missing, since some templates write it into the prompt. Thoughts that never end are taken for the answer.
 */
export function splitThoughts(text: string): SplitAnswer {
  const begin = text.trimStart().startsWith(OPEN) ? text.indexOf(OPEN) + OPEN.length : 0;
  const end = text.indexOf(CLOSE, begin);
  if (end < 0) return { thoughts: undefined, answer: text };
  return { thoughts: text.slice(begin, end).trim(), answer: text.slice(end + CLOSE.length).trimStart() };
}
