import type { AdapterFacts, BaseFacts, RowsFacts } from '../../engine/protocol/protocol.ts';
import { FAMILIES } from '../../formats/decoder-config.ts';
import { counted, showBytes, showCount, showLarge, showShare } from '../../formats/words.ts';
import type { Fact } from '../elements/choice-card.ts';

export const baseFacts = ({ family, parameters, layers, dtype, kept, bytes, notes }: BaseFacts): Fact[] => [
  ['Family', `${FAMILIES[family].name}, ${counted(layers, 'layer')}`],
  ['Parameters', showLarge(parameters)],
  ['Stored as', dtype === 'NF4' ? `NF4, already 4-bit${keptFact(kept)}` : `${dtype}, becomes 4-bit NF4`],
  ['On disk', showBytes(bytes)],
  ...notes.map((note) => ['Note', note] as const),
];

const keptFact = (kept: number): string => (kept > 0 ? `; ${counted(kept, 'module')} in 16 bits` : '');

export const adapterFacts = ({
  r,
  alpha,
  dropout,
  modules,
  baseModelName,
  parameters,
}: AdapterFacts): Fact[] => [
  ['Rank and alpha', `r ${r}, alpha ${alpha}${dropout > 0 ? `, dropout ${dropout}` : ''}`],
  ['Modules', modules.length === 7 ? 'all seven' : modules.join(', ')],
  ['Parameters', showLarge(parameters)],
  ['Made for', baseModelName ?? 'not named'],
];

/** `below`: the notes stand elsewhere. */
export function rowsFacts(
  { format, rows, skipped, unit, tokens, trainedTokens, longest, cut, duplicates, notes }: RowsFacts,
  below = false,
): Fact[] {
  const [first] = skipped;
  return [
    ['Rows', `${showCount(rows)}, as ${format}`],
    ['Tokens', `${showCount(tokens)}, ${showShare(trainedTokens, tokens)} trained`],
    ['Longest', `${counted(longest, 'token')}; ${cut === 0 ? 'none cut' : `${showCount(cut)} cut`}`],
    ...(duplicates > 0 ? [['Duplicates', counted(duplicates, 'row')] as const] : []),
    ...(first
      ? [['Skipped', `${counted(skipped.length, 'row')} (${unit} ${first.line}: ${first.why})`] as const]
      : []),
    ...(below
      ? notes.length > 0
        ? [['Notes', `${counted(notes.length, 'note')}, below`] as const]
        : []
      : notes.map((note) => ['Note', note] as const)),
  ];
}
