import type { RowChanges } from '../../formats/row-changes.ts';
import { duplicatesOf, type RowsSurvey } from '../../text/rows-survey.ts';

/** Which rows are listed. */
export const LISTS = {
  all: 'All rows',
  longest: 'Longest first',
  cut: 'Cut',
  duplicates: 'Duplicates',
  skipped: 'Nothing trained',
  changed: 'Left out or edited',
} as const;
export type RowsList = keyof typeof LISTS;

/** The numbers of the rows of a list, in its order. */
export function listedRows(
  list: RowsList,
  survey: RowsSurvey,
  changes: RowChanges | undefined,
): readonly number[] {
  const { places, lengths, trained, maxLength } = survey;
  const all = [...places];
  switch (list) {
    case 'all':
      return all;
    case 'longest':
      return all
        .map((place, i) => [place, lengths[i]!] as const)
        .toSorted((a, b) => b[1] - a[1])
        .map(([place]) => place);
    case 'cut':
      return all.filter((_, i) => lengths[i]! > maxLength);
    case 'duplicates':
      return [...duplicatesOf(survey, new Set(changes?.leftOut)).keys()];
    case 'skipped':
      return all.filter((_, i) => trained[i] === 0);
    case 'changed':
      return [...(changes?.leftOut ?? []), ...(changes?.edited ?? []).map(([row]) => row)].toSorted(
        (a, b) => a - b,
      );
  }
}
