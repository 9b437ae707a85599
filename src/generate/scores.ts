/** How one answer stands to the expected one. */
export interface Scores {
  exact: boolean;
  /** Between 0 and 1. */
  tokenF1: number;
  rougeL: number;
}

/** What the answers of one version come to, over all questions or over those of a topic or a difficulty. */
export interface Summary {
  questions: number;
  /** Questions that have an expected answer: only these are scored. */
  scored: number;
  exactMatches: number;
  /** Means over the scored questions, between 0 and 1; undefined where there are none. */
  exactRate: number | undefined;
  tokenF1: number | undefined;
  rougeL: number | undefined;
  /** Mean tokens of an answer, and how many answers were cut at the length. */
  outputTokens: number;
  cut: number;
}

/** The summaries of the questions that share a topic (or a difficulty); '' holds those that name none. */
export interface Group {
  name: string;
  summary: Summary;
}
