import { UserError } from '../formats/user-error.ts';
import type { Conversation, Message } from './chat-template.ts';
import type { JsonObject } from './read-rows.ts';

/** What a row says, whatever its format. */
export type Sample =
  | { kind: 'text'; text: string }
  | { kind: 'completion'; prompt: string; completion: string }
  /** Assistant's turns are trained from message `trainedFrom` on. */
  | { kind: 'chat'; conversation: Conversation; trainedFrom: number };

/** A row format by the key that tells it; where a row has several, the first of this list counts. */
export const ROW_FORMATS = ['text', 'messages', 'completion', 'instruction', 'conversations'] as const;
export type RowFormat = (typeof ROW_FORMATS)[number];

const ROLES = ['system', 'user', 'assistant', 'tool'];
/** ShareGPT's names for the roles. */
const SPEAKERS = new Map([
  ['system', 'system'],
  ['human', 'user'],
  ['user', 'user'],
  ['gpt', 'assistant'],
  ['assistant', 'assistant'],
  ['tool', 'tool'],
]);

/** The format of a row. Errors here and below are UserErrors that do not yet name file and line. */
export function formatOf(row: JsonObject): RowFormat {
  const format = ROW_FORMATS.find((key) => key in row);
  if (format) return format;
  if ('prompt' in row) return 'completion';
  const keys = Object.keys(row).slice(0, 8);
  throw new UserError(
    `the row has ${keys.length > 0 ? `the keys ${keys.map((k) => JSON.stringify(k)).join(', ')}` : 'no keys'}, expected "text", "messages", "prompt" and "completion", "instruction" and "output", or "conversations"; rename them`,
  );
}

/** Reads a row of a known format; throws UserError for missing keys, wrong types and unknown roles. */
export function readSample(row: JsonObject, format: RowFormat): Sample {
  switch (format) {
    case 'text':
      return { kind: 'text', text: textAt(row, 'text') };
    case 'messages':
      return {
        kind: 'chat',
        conversation: { messages: messagesAt(row, 'messages'), ...tools(row) },
        trainedFrom: 0,
      };
    case 'completion':
      return promptAndCompletion(row);
    case 'instruction':
      return alpaca(row);
    case 'conversations':
      return { kind: 'chat', conversation: { messages: shareGpt(row), ...tools(row) }, trainedFrom: 0 };
  }
}

function promptAndCompletion(row: JsonObject): Sample {
  if (!Array.isArray(row['prompt']) && !Array.isArray(row['completion'])) {
    return { kind: 'completion', prompt: textAt(row, 'prompt'), completion: textAt(row, 'completion') };
  }
  const prompt = messagesAt(row, 'prompt');
  const messages = [...prompt, ...messagesAt(row, 'completion')];
  return { kind: 'chat', conversation: { messages, ...tools(row) }, trainedFrom: prompt.length };
}

/** Alpaca's rows, with LLaMA-Factory's `system` and `history` (pairs of question and answer, not trained). */
function alpaca(row: JsonObject): Sample {
  const messages: Message[] = [];
  const optional = (key: string): string =>
    row[key] === undefined || row[key] === null ? '' : textAt(row, key);
  const system = optional('system');
  if (system) messages.push({ role: 'system', content: system });
  const history = row['history'] ?? [];
  if (!Array.isArray(history)) throw wrongType('history', history, 'a list of pairs of texts');
  history.forEach((pair: unknown, i) => {
    if (!Array.isArray(pair) || pair.length !== 2) throw wrongType(`history[${i}]`, pair, 'a pair of texts');
    messages.push({ role: 'user', content: asText(pair[0], `history[${i}][0]`) });
    messages.push({ role: 'assistant', content: asText(pair[1], `history[${i}][1]`) });
  });
  const input = optional('input');
  const instruction = textAt(row, 'instruction');
  messages.push({ role: 'user', content: input ? `${instruction}\n${input}` : instruction });
  messages.push({ role: 'assistant', content: textAt(row, 'output') });
  return { kind: 'chat', conversation: { messages }, trainedFrom: messages.length - 1 };
}

function shareGpt(row: JsonObject): Message[] {
  return objectsAt(row, 'conversations').map((turn, i) => {
    const where = `conversations[${i}]`;
    const from = textAt(turn, 'from', where);
    const role = SPEAKERS.get(from);
    if (!role) throw unknown(`${where}.from`, from, [...SPEAKERS.keys()]);
    return { role, content: textAt(turn, 'value', where) };
  });
}

function messagesAt(row: JsonObject, key: string): Message[] {
  return objectsAt(row, key).map((message, i) => {
    const where = `${key}[${i}]`;
    const role = textAt(message, 'role', where);
    if (!ROLES.includes(role)) throw unknown(`${where}.role`, role, ROLES);
    return { ...message, role, content: textAt(message, 'content', where) };
  });
}

function tools(row: JsonObject): { tools?: unknown } {
  return Array.isArray(row['tools']) ? { tools: row['tools'] } : {};
}

function objectsAt(row: JsonObject, key: string): JsonObject[] {
  const list = row[key];
  if (list === undefined) throw missing(key);
  if (!Array.isArray(list) || list.length === 0) throw wrongType(key, list, 'a list of messages');
  list.forEach((entry: unknown, i) => {
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry))
      throw wrongType(`${key}[${i}]`, entry, 'an object');
  });
  return list as JsonObject[];
}

function textAt(row: JsonObject, key: string, where?: string): string {
  const path = where ? `${where}.${key}` : key;
  if (row[key] === undefined) throw missing(path);
  return asText(row[key], path);
}

function asText(value: unknown, path: string): string {
  if (typeof value !== 'string') throw wrongType(path, value, 'a text');
  if (/\p{Surrogate}/u.test(value)) {
    throw new UserError(
      `${path} holds half a surrogate pair, which is no character; write the character itself`,
    );
  }
  return value;
}

function missing(path: string): UserError {
  return new UserError(`the key ${path} is missing; add it`);
}

function wrongType(path: string, value: unknown, expected: string): UserError {
  let found = typeof value === 'object' ? 'an object' : `a ${typeof value}`;
  if (value === null) found = 'null';
  if (Array.isArray(value)) found = value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  return new UserError(`${path} is ${found}, expected ${expected}; correct it`);
}

function unknown(path: string, found: string, expected: readonly string[]): UserError {
  return new UserError(`${path} is ${JSON.stringify(found)}, expected ${expected.join(', ')}; rename it`);
}
