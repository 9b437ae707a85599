import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeFolder } from '../../src/cli/node-files.ts';
import { parseJson } from '../../src/formats/json.ts';
import { UserError } from '../../src/formats/user-error.ts';
import { ChatTemplate, type Conversation, type Message } from '../../src/text/chat-template.ts';
import { loadTokenizer } from '../../src/text/load-tokenizer.ts';
import type { Tokens } from '../../src/text/spans.ts';
import type { TextTokenizer } from '../../src/text/tokenizer.ts';

/** The time at which tests/reference/chats/make_pairs.py renders. */
const MOMENT = '2026-03-07T14:05:09';

/** `isTold`: the template prints what the training needs, so that the row is trained. */
type Encoded = Tokens & { isTold: boolean };

interface Expected {
  pairs: Record<string, { ids: (string | null)[]; masks?: ([mask: string, ids: string] | null)[] }>;
}

/** A pair's conversations by outcome, by their numbers. */
export interface PairReport {
  name: string;
  /** The same ids as Python's. */
  same: number[];
  /** Of these, rows that are skipped: the template leaves out what their answers rest on. */
  skipped: number[];
  /** Other ids than Python's, without an error. */
  different: number[];
  /** Python has ids; here the row is refused. */
  refused: { row: number; why: string }[];
  /** Python raises an error, and the row is refused here. */
  both: number[];
  /**
   * Python raises an error, and the row has ids here: a turn without content is given '' if the template needs one.
   */
  oursOnly: number[];
  masks: MaskReport | undefined;
}

/** Masks beside those of TRL's training template. */
export interface MaskReport {
  /** Rows with the same ids under both templates, and of these those with the same mask. */
  compared: number;
  same: number;
  /** Rows with the same ids that are skipped here, since the template leaves out what the training needs. */
  untold: number;
  /** By what is trained here and not there (+), or there and not here (-): how many rows differ in just that. */
  differences: Map<string, number>;
  /** Rows whose mask under the training template itself is Python's, of those that both train, and those that are not. */
  followed: number;
  notFollowed: number[];
}

/** Compares all pairs of a folder that make_pairs.py wrote. */
export async function comparePairs(folder: string): Promise<PairReport[]> {
  const text = readFileSync(join(folder, 'expected.json'), 'utf8');
  const { pairs } = JSON.parse(text) as Expected;
  const conversations = conversationsOf(text);
  const reports: PairReport[] = [];
  for (const [name, { ids, masks }] of Object.entries(pairs)) {
    const model = await nodeFolder(join(folder, name));
    const tokenizer = await loadTokenizer(model);
    const encoded = conversations.map((one) => encode(new ChatTemplate(tokenizer, MOMENT), one));
    const report = sortOut(name, encoded, ids);
    if (masks) {
      const training = readFileSync(join(folder, name, 'training.jinja'), 'utf8');
      const own = new ChatTemplate(withTemplate(tokenizer, training), MOMENT);
      const followed = conversations.map((one) => encode(own, one));
      report.masks = compareMasks(tokenizer, encoded, followed, masks);
    }
    reports.push(report);
  }
  return reports;
}

function conversationsOf(text: string): Conversation[] {
  const file = parseJson(text, { keepKeyOrder: true, keepNumberText: true }) as Map<string, unknown>;
  return (file.get('conversations') as Map<string, unknown>[]).map((one) => ({
    messages: one.get('messages') as Message[],
    tools: one.get('tools'),
    kwargs: (one.get('kwargs') as Map<string, unknown> | undefined) ?? new Map<string, unknown>(),
  }));
}

function withTemplate(tokenizer: TextTokenizer, text: string): TextTokenizer {
  const templates = {
    ...tokenizer.templates,
    byName: new Map([['default', { text, file: 'training.jinja' }]]),
  };
  return Object.create(tokenizer, { templates: { value: templates } }) as TextTokenizer;
}

/** Ids and mask, or why the row is refused. */
function encode(template: ChatTemplate, conversation: Conversation): Encoded | string {
  try {
    const encoded = template.encode(conversation, () => true);
    return { ...encoded, isTold: encoded.leftOut.needed === undefined };
  } catch (error) {
    if (!(error instanceof UserError)) {
      throw error;
    }
    return error.message;
  }
}

function sortOut(
  name: string,
  encoded: readonly (Encoded | string)[],
  expected: readonly (string | null)[],
): PairReport {
  const report: PairReport = {
    ...{ name, same: [], skipped: [], different: [], refused: [], both: [], oursOnly: [] },
    masks: undefined,
  };
  encoded.forEach((ours, row) => {
    const theirs = expected[row]!;
    if (typeof ours === 'string') {
      if (theirs === null) {
        report.both.push(row);
      } else {
        report.refused.push({ row, why: ours });
      }
    } else if (theirs === null) {
      report.oursOnly.push(row);
    } else {
      (hashOf(ours.ids) === theirs ? report.same : report.different).push(row);
    }
    if (typeof ours !== 'string' && theirs !== null && !ours.isTold) {
      report.skipped.push(row);
    }
  });
  return report;
}

function compareMasks(
  tokenizer: TextTokenizer,
  plain: readonly (Encoded | string)[],
  followed: readonly (Encoded | string)[],
  expected: readonly ([string, string] | null)[],
): MaskReport {
  const report: MaskReport = {
    compared: 0,
    same: 0,
    untold: 0,
    differences: new Map(),
    followed: 0,
    notFollowed: [],
  };
  const followedRows: number[] = [];
  expected.forEach((theirs, row) => {
    if (!theirs) {
      return;
    }
    const [mask, ids] = theirs;
    const maskOf = (tokens: Tokens): string => (mask === '' ? '' : tokens.trained.join(''));
    const own = followed[row]!;
    if (typeof own === 'string' || hashOf(own.ids) !== ids) {
      report.notFollowed.push(row);
    } else if (own.isTold) {
      (maskOf(own) === mask ? followedRows : report.notFollowed).push(row);
    }
    const ours = plain[row]!;
    if (typeof ours === 'string' || hashOf(ours.ids) !== ids) {
      return;
    }
    if (!ours.isTold) {
      return void report.untold++;
    }
    report.compared++;
    const told = difference(tokenizer, ours, mask.padEnd(ours.ids.length, '0'));
    if (told === '') {
      report.same++;
    } else {
      report.differences.set(told, (report.differences.get(told) ?? 0) + 1);
    }
  });
  report.followed = followedRows.length;
  return report;
}

/** The texts that only one of two masks trains: each kind once, in order. */
function difference(tokenizer: TextTokenizer, { ids, trained }: Tokens, mask: string): string {
  const kinds = new Set<string>();
  for (let i = 0; i < ids.length; i++) {
    const sign = trained[i]! - Number(mask[i]);
    if (sign === 0) {
      continue;
    }
    let end = i + 1;
    while (end < ids.length && trained[end]! - Number(mask[end]) === sign) {
      end++;
    }
    const text = tokenizer.decode(ids.slice(i, end));
    kinds.add(`${sign > 0 ? '+' : '-'}${JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)}`);
    i = end - 1;
  }
  return [...kinds].toSorted().join(' ');
}

const hashOf = (values: readonly number[]): string =>
  createHash('sha256').update(values.join(',')).digest('hex').slice(0, 16);
