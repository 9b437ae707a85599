import { JsonError, parseJson } from '../formats/json.ts';
import { UserError } from '../formats/user-error.ts';
import {
  asPlainValue,
  asText,
  type JsonMap,
  quoted,
  RowFields,
  unknownWord,
  wrongType,
} from './row-fields.ts';
import { trainingSwitch } from './training-switch.ts';

/** One turn of a conversation as the chat template gets it: role, content, and whatever else the row has. */
export type Turn = Map<string, unknown>;

/** A list of turns, and which of them may be trained. */
export interface Turns {
  turns: Turn[];
  trained: boolean[];
  /** The place of each in the row, for messages. */
  places: string[];
}

type Speaker = 'system' | 'user' | 'assistant' | 'tool' | 'call';

/** The speakers, by the names that OpenAI, ShareGPT, Gemma and LLaMA-Factory use. */
const SPEAKERS = new Map<string, Speaker>([
  ['system', 'system'],
  ['developer', 'system'],
  ['user', 'user'],
  ['human', 'user'],
  ['assistant', 'assistant'],
  ['gpt', 'assistant'],
  ['model', 'assistant'],
  ['function_call', 'call'],
  ['tool', 'tool'],
  ['observation', 'tool'],
]);

/** Keys of a turn that belong to another kind of training, each with what to do. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  [
    'function_call',
    'write it as "tool_calls", a list of {"type": "function", "function": {"name", "arguments"}}',
  ],
  ['image', 'only text is trained here; remove the row'],
  ['images', 'only text is trained here; remove the row'],
  ['audio', 'only text is trained here; remove the row'],
]);

/** The turns under a key, with role and content or ShareGPT's from and value. Throws UserError. */
export function readTurns(row: RowFields, key: string): Turns {
  const result: Turns = { turns: [], trained: [], places: [] };
  for (const fields of row.objects(key)) {
    for (const [refused, remedy] of REFUSED) {
      if (fields.has(refused)) {
        throw new UserError(`${fields.path(refused)} has no meaning here: ${remedy}`);
      }
    }
    const [who, what] = fields.has('from') && !fields.has('role') ? ['from', 'value'] : ['role', 'content'];
    const name = fields.text(who);
    const speaker = SPEAKERS.get(name);
    if (!speaker) {
      throw unknownWord(fields.path(who), name, [...SPEAKERS.keys()]);
    }
    const turn = speaker === 'call' ? callTurn(fields, what) : plainTurn(fields, what, speaker);
    const isTrained = trainingSwitch(fields);
    if (isTrained && turn.get('role') !== 'assistant' && (fields.has('train') || fields.has('trainable'))) {
      throw new UserError(
        `${fields.where} is a turn of ${quoted(name)} and asks to be trained, but only the assistant's turns are; remove the key, or use rows of the form {"text"}`,
      );
    }
    for (const other of fields.unread()) {
      turn.set(other, asPlainValue(fields.value(other), fields.path(other)));
    }
    result.turns.push(turn);
    result.places.push(fields.where);
    result.trained.push(turn.get('role') === 'assistant' && isTrained !== false);
  }
  return result;
}

/** A turn with text; an assistant's turn that calls tools may have none. */
function plainTurn(fields: RowFields, key: string, role: string): Turn {
  const turn: Turn = new Map([['role', role]]);
  const calls = fields.has('tool_calls') ? toolCalls(fields) : [];
  // Templates distinguish absent content from null and from empty text, so they get what the row has.
  if (role === 'assistant' && calls.length > 0 && !fields.has(key)) {
    if (fields.keys.includes(key)) {
      turn.set('content', null);
    }
  } else {
    turn.set('content', contentOf(fields.required(key), fields.path(key)));
  }
  if (fields.has('tool_calls')) {
    turn.set('tool_calls', calls);
  }
  return turn;
}

function toolCalls(fields: RowFields): unknown[] {
  const path = fields.path('tool_calls');
  const calls = asPlainValue(fields.value('tool_calls'), path);
  if (!Array.isArray(calls)) {
    throw wrongType(path, calls, 'a list of calls');
  }
  return calls;
}

/** A text, or OpenAI's list of text parts, which are joined later for a template that expects a string. */
function contentOf(value: unknown, path: string): string | JsonMap[] {
  if (!Array.isArray(value)) {
    return asText(value, path);
  }
  return value.map((part: unknown, i) => {
    const where = `${path}[${i}]`;
    if (!(part instanceof Map)) {
      throw wrongType(where, part, 'a part such as {"type": "text", "text": "…"}');
    }
    const fields = new RowFields(part as JsonMap, where);
    const type = fields.text('type');
    if (type !== 'text') {
      throw new UserError(`${where}.type is ${quoted(type)}, but only text is trained here; remove the row`);
    }
    fields.text('text');
    return part as JsonMap;
  });
}

/** LLaMA-Factory's function_call: its text is JSON, one call or a list of calls. */
function callTurn(fields: RowFields, key: string): Turn {
  const path = fields.path(key);
  const value = parseInside(fields.text(key), path);
  const calls: unknown[] = Array.isArray(value) ? value : [value];
  const shape = 'a call such as {"name": "…", "arguments": {…}}';
  if (calls.length === 0) {
    throw wrongType(path, calls, shape);
  }
  const toolCall = (call: unknown) => {
    if (!(call instanceof Map) || typeof call.get('name') !== 'string') {
      throw wrongType(path, call, shape);
    }
    return new Map<string, unknown>([
      ['type', 'function'],
      ['function', new Map([...(call as JsonMap)])],
    ]);
  };
  return new Map<string, unknown>([
    ['role', 'assistant'],
    ['content', ''],
    ['tool_calls', calls.map(toolCall)],
  ]);
}

/** JSON inside a text of the row. */
export function parseInside(text: string, path: string): unknown {
  try {
    const value = parseJson(text, { keepKeyOrder: true, keepNumberText: true });
    return asPlainValue(value, path);
  } catch (error) {
    if (!(error instanceof JsonError)) {
      throw error;
    }
    throw new UserError(
      `${path} is a text that should hold JSON, which it does not at its column ${error.column}: ${error.message}; correct it`,
    );
  }
}
