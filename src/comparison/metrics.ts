// References: the SQuAD v1.1 evaluation script (token F1); C.-Y. Lin, "ROUGE", aclanthology.org/W04-1013, and
// google-research/google-research, rouge/rouge_scorer.py (ROUGE-L).
import { commonSubsequence } from './common-subsequence.ts';

/** Equal except for white space at the ends. */
export function exactMatch(answer: string, expected: string): boolean {
  return answer.trim() === expected.trim();
}

/**
 * F1 over the words shared by answer and expected answer, as in SQuAD's evaluation: lower case, without punctuation
 * and articles. Between 0 and 1; two texts without any words agree.
 */
export function tokenF1(answer: string, expected: string): number {
  const [a, b] = [squadWords(answer), squadWords(expected)];
  if (a.length === 0 || b.length === 0) {
    return Number(a.length === b.length);
  }
  const counts = new Map<string, number>();
  for (const word of b) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  let shared = 0;
  for (const word of a) {
    const left = counts.get(word) ?? 0;
    if (left > 0) {
      shared++;
    }
    counts.set(word, left - 1);
  }
  return f1(shared, a.length, b.length);
}

/**
 * F1 over the longest common subsequence of words, as rouge_score's rougeL without stemming: words are runs of
 * ASCII letters and digits in lower case, so text in other scripts does not count. Between 0 and 1.
 */
export function rougeL(answer: string, expected: string): number {
  const [a, b] = [rougeWords(answer), rougeWords(expected)];
  return f1(commonSubsequence(a, b), a.length, b.length);
}

function f1(shared: number, found: number, wanted: number): number {
  return shared === 0 ? 0 : (2 * shared) / (found + wanted);
}

function squadWords(text: string): string[] {
  return text
    .toLowerCase()
    .replace(/[!-/:-@[-`{-~]/g, '')
    .replace(/(?<![\p{L}\p{N}_])(a|an|the)(?![\p{L}\p{N}_])/gu, ' ')
    .split(/\s+/)
    .filter((word) => word !== '');
}

function rougeWords(text: string): string[] {
  return text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
}
