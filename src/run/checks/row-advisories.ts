import { RECIPE } from '../../formats/recipe/settings.ts';
import { counted, showCount, showShare } from '../../formats/words.ts';
import type { PromptForm } from '../../generate/prompt-form.ts';
import type { EncodedRow, EncodedRows } from '../../text/rows.ts';
import { suggestedRows } from '../input/suggested-hold-out.ts';
import { type Advisory, leavingOut, namedRows, type Remedy, rowsAre, setting } from './advisory.ts';
import { MAX_ROWS, nearDuplicates, SIMILAR } from './near-duplicates.ts';
import type { TrainedRows } from './trained-rows.ts';

const { maxLength: MAX_LENGTH } = RECIPE.training;

/** A file of rows under its name. */
export interface NamedRows extends Pick<EncodedRows, 'rows' | 'skipped' | 'unit' | 'chat'> {
  readonly name: string;
}

/** The share of the rows that makes most of them. */
const MOST = 0.5;
/** The share of the rows that a smaller length than the longest row's would hold. */
const NEARLY_ALL = 0.95;

/** Most rows are cut, or left without an answer. `maxPositions`: what the model supports. */
export function cutAdvisory(
  { name, rows, skipped, unit }: NamedRows,
  maxLength: number,
  maxPositions: number,
): Advisory | undefined {
  const short = skipped.filter(({ wholeLength }) => wholeLength !== undefined);
  const cut = [...rows.filter((row) => row.cut), ...short].toSorted((a, b) => a.line - b.line);
  const all = rows.length + short.length;
  if (cut.length <= MOST * all) {
    return undefined;
  }
  const lengths = [
    ...rows.map(({ ids, wholeLength = ids.length }) => wholeLength),
    ...short.map(({ wholeLength }) => wholeLength!),
  ].toSorted((a, b) => a - b);
  const nearly = lengths[Math.ceil(NEARLY_ALL * lengths.length) - 1]!;
  const longest = lengths.at(-1)!;
  const lost =
    short.length > 0
      ? ` (of ${counted(short.length, 'row')} the whole answer, so that they are skipped)`
      : '';
  const wanted = [...new Set([longest, nearly].map((length) => Math.min(length, maxPositions)))];
  const more =
    nearly < longest ? `; ${showCount(nearly)} would hold ${showShare(NEARLY_ALL, 1)} of them` : '';
  const beyond =
    longest > maxPositions
      ? `; the model was made for ${showCount(maxPositions)} (max_position_embeddings)`
      : '';
  return {
    kind: 'cut',
    found: `${name}: ${showCount(cut.length)} of ${counted(all, 'row')} ${cut.length === 1 ? 'is' : 'are'} cut at ${MAX_LENGTH.key} ${maxLength}, ${namedRows(cut, { unit })}: what follows is not trained, often the answer's end${lost}; the longest has ${counted(longest, 'token')}${more}${beyond}`,
    remedies: wanted
      .filter((length) => length > maxLength)
      .map((length) => ({
        kind: 'set',
        settings: setting(MAX_LENGTH, length),
        label: `set ${MAX_LENGTH.key} to ${length}`,
      })),
  };
}

/** Trained tokens at the end of a row among which its end token is: a template may print a line break after it. */
const LAST = 4;

/** Rows whose answer has no end token, so that nothing teaches where it stops. `stops`: ids that end generation. */
export function noEndAdvisory(
  { name, rows, unit, chat }: NamedRows,
  stops: readonly number[],
  end: string | undefined,
): Advisory | undefined {
  const ids = new Set(stops);
  const endless = rows.filter(
    (row) =>
      !row.cut &&
      row.hashes?.question !== undefined &&
      !row.ids.subarray(-LAST).some((id, i, last) => ids.has(id) && row.trained.at(i - last.length) === 1),
  );
  if (endless.length === 0) {
    return undefined;
  }
  const such = end === undefined ? '' : `, such as ${end}`;
  const remedy = chat ? 'the chat template prints none' : 'plain text is trained as it stands';
  return {
    kind: 'no-end',
    found: `${name}: ${counted(endless.length, 'answer')} of ${showCount(rows.length)} ${endless.length === 1 ? 'ends' : 'end'} without an end token${such}, ${namedRows(endless, { unit })}: ${remedy}, and the model learns to go on after them`,
    remedies: [],
  };
}

/** Rows of the training file that are in the validation file too. */
export function sharedAdvisory(train: NamedRows, validation: NamedRows): Advisory | undefined {
  const validated = new Map(
    validation.rows.flatMap((row) => (row.hashes ? [[row.hashes.content, row] as const] : [])),
  );
  const shared = train.rows.filter(({ hashes }) => hashes && validated.has(hashes.content));
  const [first] = shared;
  if (!first) {
    return undefined;
  }
  const same = validated.get(first.hashes!.content)!;
  return {
    kind: 'shared',
    found: `${train.name}: ${rowsAre(shared.length)} in ${validation.name} as well, ${namedRows(shared, train)} (the first there on ${validation.unit} ${same.line}): the eval loss of rows that are trained does not show what was learned`,
    remedies: leavingOut(shared, train.rows, 'leave them out of the training rows'),
  };
}

/** Rows that the adapter, or one that it came from, was trained on. */
export function trainedBeforeAdvisory(
  { name, rows, unit }: NamedRows,
  source: string,
  earlier: TrainedRows,
): Advisory | undefined {
  const known = rows.map((row) => ({ row, before: row.hashes && earlier.has(row.hashes.content) }));
  const before = known.flatMap(({ row, before: is }) => (is ? [row] : []));
  if (before.length === 0) {
    return undefined;
  }
  const judged = known.filter(({ before: is }) => is !== undefined).length;
  const sample = judged < rows.length;
  const of = sample
    ? `of the ${counted(judged, 'row')} whose record was kept`
    : `of ${counted(rows.length, 'row')}`;
  return {
    kind: 'trained-before',
    found: `${name}: ${showCount(before.length)} ${of} ${before.length === 1 ? 'was' : 'were'} trained into ${source} or what it came from already, ${namedRows(before, { unit })}: meant where they are replayed against forgetting, else they are learned by heart`,
    // Of a sample the others would stay.
    remedies: sample ? [] : leavingOut(before, rows, 'leave them out'),
  };
}

/** Rows that say the same as an earlier one, and those that nearly do. */
export function duplicateAdvisories({ name, rows, unit }: NamedRows): Advisory[] {
  const first = new Map<number, EncodedRow>();
  const same: { row: EncodedRow; like: EncodedRow }[] = [];
  const others: EncodedRow[] = [];
  for (const row of rows) {
    const like = row.hashes && first.get(row.hashes.content);
    if (like) {
      same.push({ row, like });
      continue;
    }
    others.push(row);
    if (row.hashes) {
      first.set(row.hashes.content, row);
    }
  }
  const near = nearDuplicates(others.map(({ ids }) => ids)).map(({ row, like }) => ({
    row: others[row]!,
    like: others[like]!,
  }));
  const describe = (
    kind: Advisory['kind'],
    pairs: readonly { row: EncodedRow; like: EncodedRow }[],
    what: string,
  ): Advisory[] => {
    const [one] = pairs;
    const found = pairs.map(({ row }) => row);
    return one
      ? [
          {
            kind,
            found: `${name}: ${rowsAre(found.length)} ${what}, ${namedRows(found, { unit })} (the first like ${unit} ${one.like.line}): each counts as often as it is there`,
            remedies: leavingOut(found, rows, 'leave the later ones out'),
          },
        ]
      : [];
  };
  const share = `at least ${showShare(SIMILAR, 1)} of their phrases of five tokens in common`;
  const all = others.length <= MAX_ROWS ? '' : `, of the first ${showCount(MAX_ROWS)}`;
  return [
    ...describe('duplicates', same, 'the same as an earlier one'),
    ...describe('near-duplicates', near, `nearly the same as an earlier one (${share}${all})`),
  ];
}

/** Questions that have another answer in another row. */
export function conflictAdvisory({ name, rows, unit }: NamedRows): Advisory | undefined {
  const byQuestion = new Map<number, EncodedRow[]>();
  for (const row of rows) {
    const question = row.hashes?.question;
    if (question !== undefined) {
      const others = byQuestion.get(question);
      if (others) {
        others.push(row);
      } else {
        byQuestion.set(question, [row]);
      }
    }
  }
  const conflicts = [...byQuestion.values()].filter((group) =>
    group.some((row) => row.hashes!.answer !== group[0]!.hashes!.answer),
  );
  const [first] = conflicts;
  if (!first) {
    return undefined;
  }
  const earlier = conflicts.flatMap((group) =>
    group.filter((row) => row.hashes!.answer !== group.at(-1)!.hashes!.answer),
  );
  const has = conflicts.length === 1 ? 'has' : 'have';
  return {
    kind: 'conflicts',
    found: `${name}: ${counted(conflicts.length, 'question')} ${has} more than one answer, ${conflicts.length === 1 ? '' : 'the first '}on ${namedRows(first, { unit })}: the model is taught to contradict itself`,
    remedies: leavingOut(earlier, rows, 'keep only the last answer of each'),
  };
}

const FORMS: Readonly<Record<PromptForm, string>> = { chat: 'chat', text: 'plain text' };
const formOf = ({ chat }: Pick<NamedRows, 'chat'>): PromptForm => (chat ? 'chat' : 'text');

/** Rows of another form than the validation rows, or than those that the adapter was trained on. */
export function formAdvisories(
  train: NamedRows,
  validation: NamedRows | undefined,
  source: { name: string; prompt: PromptForm } | undefined,
): Advisory[] {
  const form = formOf(train);
  const found: Advisory[] = [];
  if (validation && formOf(validation) !== form) {
    const label =
      suggestedRows(train.rows.length) > 0
        ? 'hold some of the training rows out in its place'
        : 'leave the validation file out';
    const remedies: Remedy[] = [{ kind: 'hold-out', label }];
    found.push({
      kind: 'form',
      found: `the training rows are ${FORMS[form]} and those of ${validation.name} ${FORMS[formOf(validation)]}: its eval loss is of prompts that are not trained`,
      remedies,
    });
  }
  if (source && source.prompt !== form) {
    found.push({
      kind: 'form',
      found: `${source.name} was trained on rows of ${FORMS[source.prompt]} and these are ${FORMS[form]}: what it knows answers to prompts of the other form, and may be forgotten in this one`,
      remedies: [],
    });
  }
  return found;
}
