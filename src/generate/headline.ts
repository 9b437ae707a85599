/** Means over the questions of what one version has and the other has not. */
export interface Headline {
  /** What is compared: exact matches where any version has one, token F1 otherwise. */
  metric: 'exact match' | 'token F1';
  /** Means of the two versions over the scored questions, between 0 and 1. */
  means: readonly [a: number, b: number];
  /** b − a, and the 95% interval of a paired bootstrap over the questions. */
  difference: number;
  interval: readonly [low: number, high: number];
  verdict: 'improved' | 'worse' | 'no clear difference';
  /** Questions that the figure rests on, and how often they were drawn anew. */
  questions: number;
  resamples: number;
}

/** How the second version's answer to a question stands to the first's: by exact match, then by token F1. */
export type Change = 'better' | 'worse' | 'same';

/** A topic, a difficulty or all questions together, and how the second version does there. */
export interface GroupChange {
  name: string;
  /** Scored questions of it. */
  questions: number;
  /** Means of the headline's metric. */
  means: readonly [a: number, b: number];
  difference: number;
}
