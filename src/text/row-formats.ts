import { UserError } from '../formats/user-error.ts';
import type { Conversation } from './chat-template.ts';
import { asText, type ColumnNames, type JsonMap, quoted, RowFields, wrongType } from './row-fields.ts';
import { trainingSwitch } from './training-switch.ts';
import { parseInside, readTurns, type Turn, type Turns } from './turns.ts';

/** A row's content, whatever its format. */
export type Sample =
  | { kind: 'text'; text: string }
  | { kind: 'completion'; prompt: string; completion: string }
  /** `trained` has an entry for each turn. */
  | { kind: 'chat'; conversation: Conversation; trained: readonly boolean[] };

/** The system prompt of a conversation; undefined if it has none, or a list of parts for one. */
export function systemPromptOf(sample: Sample): string | undefined {
  const first = sample.kind === 'chat' ? sample.conversation.messages[0] : undefined;
  const content = first?.get('role') === 'system' ? first.get('content') : undefined;
  return typeof content === 'string' && content !== '' ? content : undefined;
}

/** A row and what was found while reading it. */
export interface ReadRow {
  sample: Sample;
  format: RowFormat;
  /** Other formats that the row also matches. */
  alsoFits: readonly RowFormat[];
  /** Keys that are not read; those of turns go to the chat template. */
  unused: readonly string[];
  /** Whether the row says that nothing in it is trained. */
  contextOnly: boolean;
}

/** A row format: the key that identifies it and the keys it requires. If a row matches several, the first counts. */
const FORMATS = {
  messages: [['messages']],
  conversations: [['conversations']],
  completion: [['prompt'], ['completion']],
  instruction: [['instruction'], ['output', 'response']],
  text: [['text']],
} as const satisfies Record<string, readonly (readonly string[])[]>;

export type RowFormat = keyof typeof FORMATS;
const ROW_FORMATS = Object.keys(FORMATS) as RowFormat[];

/** Keys that belong to another kind of training, with its name. */
const OTHER_TRAINING: ReadonlyMap<string, string> = new Map([
  ['chosen', 'preference training (DPO)'],
  ['rejected', 'preference training (DPO)'],
  ['label', 'training on liked and disliked answers (KTO)'],
  ['kto_tag', 'training on liked and disliked answers (KTO)'],
  ['images', 'training on images'],
  ['image', 'training on images'],
  ['videos', 'training on videos'],
  ['audios', 'training on sound'],
]);

const FUNCTIONS =
  'rename it to "tools", a list of {"type": "function", "function": {…}}, and each "function_call" to "tool_calls"';

/** Whether rows with these keys are of a known format. */
export const fitsFormat = (keys: readonly string[]): boolean =>
  Object.values(FORMATS).some((needed) => needed.every((some) => some.some((key) => keys.includes(key))));

/** The key of `OTHER_TRAINING` that a column's name is, whatever its case. */
export const otherTrainingKey = (name: string): string | undefined =>
  [...OTHER_TRAINING.keys()].find((key) => key === name.trim().toLowerCase());

/**
 * Reads a row. Throws UserErrors, which do not yet name file and line, for missing keys, wrong types, unknown
 * roles, and keys of an unsupported kind of training. `names` are the file's own of its keys.
 */
export function readRow(row: JsonMap, names?: ColumnNames): ReadRow {
  const fields = new RowFields(row, '', names);
  refuseOtherTraining(fields);
  const [format, ...alsoFits] = formatsOf(fields);
  const contextOnly = trainingSwitch(fields) === false;
  const sample = readers[format](fields);
  return { sample, format, alsoFits, unused: fields.unread(), contextOnly };
}

function formatsOf(fields: RowFields): [RowFormat, ...RowFormat[]] {
  const fits = (format: RowFormat) => FORMATS[format].every((keys) => keys.some((key) => fields.has(key)));
  const [first, ...others] = ROW_FORMATS.filter(fits);
  if (first) {
    return [first, ...others];
  }
  // If no format is complete, an incomplete one tells what is missing.
  const { keys } = fields;
  const begun = ROW_FORMATS.find((format) =>
    (FORMATS[format].flat() as string[]).some((key) => keys.includes(key)),
  );
  if (begun) {
    return [begun];
  }
  const found = keys.length > 0 ? `the keys ${keys.slice(0, 8).map(quoted).join(', ')}` : 'no keys';
  throw new UserError(
    `the row has ${found}, expected "text", "messages", "prompt" and "completion", "instruction" and "output", or "conversations"; rename them`,
  );
}

function refuseOtherTraining(fields: RowFields): void {
  for (const [key, training] of OTHER_TRAINING) {
    if (!fields.has(key)) {
      continue;
    }
    const value = fields.value(key);
    // A label that is not a boolean is a class, which plain text may have.
    const harmless =
      key === 'label' ? typeof value !== 'boolean' : Array.isArray(value) && value.length === 0;
    if (harmless) {
      continue;
    }
    throw new UserError(
      `the key ${key} belongs to ${training}, which Retune does not do; remove the row, or the key where it means nothing`,
    );
  }
  for (const key of ['functions', 'function_call']) {
    if (fields.has(key)) {
      throw new UserError(`the key ${key} is not read; ${FUNCTIONS}`);
    }
  }
}

const readers: Record<RowFormat, (row: RowFields) => Sample> = {
  text: (row) => ({ kind: 'text', text: row.text('text') }),
  messages: (row) => chat(row, readTurns(row, 'messages')),
  conversations: (row) => chat(row, readTurns(row, 'conversations')),
  completion: promptAndCompletion,
  instruction: alpaca,
};

/** A conversation with the system text, tools and template arguments beside its turns. */
function chat(row: RowFields, { turns, trained, places }: Turns): Sample {
  const hasSystem = turns[0]?.get('role') === 'system';
  const system = hasSystem ? '' : row.optionalText('system');
  if (system) {
    turns.unshift(turnOf('system', system));
    trained.unshift(false);
    places.unshift('system');
  }
  const conversation: Conversation = { messages: turns, places };
  const tools = row.has('tools') ? toolsOf(row) : undefined;
  if (tools !== undefined) {
    conversation.tools = tools;
  }
  if (row.has('chat_template_kwargs')) {
    const kwargs = row.value('chat_template_kwargs');
    if (!(kwargs instanceof Map)) {
      throw wrongType('chat_template_kwargs', kwargs, 'an object');
    }
    conversation.kwargs = kwargs as JsonMap;
  }
  return { kind: 'chat', conversation, trained };
}

/** Tools as a list, or as a text that contains one; a single tool counts as a list of one. */
function toolsOf(row: RowFields): unknown {
  const value = row.value('tools');
  if (typeof value === 'string' && value.trim() === '') {
    return undefined;
  }
  const tools = typeof value === 'string' ? parseInside(value, 'tools') : value;
  if (tools === null) {
    return undefined;
  }
  if (tools instanceof Map) {
    return [tools];
  }
  if (!Array.isArray(tools)) {
    throw wrongType('tools', tools, 'a list of tools, or a text that holds one');
  }
  return tools;
}

function promptAndCompletion(row: RowFields): Sample {
  if (!Array.isArray(row.value('prompt')) && !Array.isArray(row.value('completion'))) {
    return { kind: 'completion', prompt: row.text('prompt'), completion: row.text('completion') };
  }
  const prompt = readTurns(row, 'prompt');
  const completion = readTurns(row, 'completion');
  return chat(row, {
    turns: [...prompt.turns, ...completion.turns],
    trained: [...prompt.trained.map(() => false), ...completion.trained],
    places: [...prompt.places, ...completion.places],
  });
}

/**
 * Alpaca's rows, with LLaMA-Factory's `system`, `tools` and `history` (pairs of question and answer, not trained),
 * and Dolly's, whose input is `context` and whose output is `response`.
 */
function alpaca(row: RowFields): Sample {
  const turns: Turn[] = [];
  const places: string[] = [];
  const history = row.value('history') ?? [];
  if (!Array.isArray(history)) {
    throw wrongType('history', history, 'a list of pairs of texts');
  }
  history.forEach((pair: unknown, i) => {
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw wrongType(`history[${i}]`, pair, 'a pair of texts');
    }
    turns.push(turnOf('user', asText(pair[0], `history[${i}][0]`)));
    turns.push(turnOf('assistant', asText(pair[1], `history[${i}][1]`)));
    places.push(`history[${i}][0]`, `history[${i}][1]`);
  });
  const instruction = row.text('instruction');
  const input = row.optionalText(row.has('input') || !row.has('context') ? 'input' : 'context');
  turns.push(turnOf('user', input ? `${instruction}\n${input}` : instruction));
  const output = row.has('output') || !row.has('response') ? 'output' : 'response';
  turns.push(turnOf('assistant', row.text(output)));
  places.push('instruction', output);
  return chat(row, { turns, trained: turns.map((_, i) => i === turns.length - 1), places });
}

const turnOf = (role: string, content: string): Turn =>
  new Map([
    ['role', role],
    ['content', content],
  ]);
