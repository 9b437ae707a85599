import { NumberText } from '../formats/json.ts';
import { type Conversation, type Message, REASONING } from './chat-render.ts';
import type { Part, PrintedParts, RenderedChat } from './parts.ts';
import { type JsonMap, quoted } from './row-fields.ts';

/** What the chat template drops from a conversation, without an error. */
export interface LeftOut {
  /** Dropped content that the trained answers depend on or should contain, described for a message. */
  needed: string | undefined;
  /** Keys without effect, such as `messages[].name`. */
  keys: readonly string[];
  /** Whether the template prints a turn's text only in part; thoughts in untrained answers do not count. */
  inPart: boolean;
}

export const NOTHING_LEFT_OUT: LeftOut = { needed: undefined, keys: [], inPart: false };

/** The text of the conversation, with or without the opening of the next turn; undefined if it is refused. */
type Render = (conversation: Conversation, addGenerationPrompt: boolean) => string | undefined;

/** Keys that identify a call; they are not meant for the model. */
const BOOKKEEPING = ['id', 'type', 'index'];
const SYSTEM_ROLES = new Set(['system', 'developer']);
const THOUGHTS = /<\/?think>/;
/** Limits on the attempts to find which keys of a row have an effect, and on the characters they may render. */
const MAX_TRIES = 32;
const MAX_TRIED = 2 ** 22;

/** Finds what a template drops. `trains`: accepts the assistant's turns that are trained. */
export function leftOut(
  conversation: Conversation,
  rendered: RenderedChat,
  printed: PrintedParts,
  trains: (turn: number) => boolean,
  render: Render,
): LeftOut {
  const silent = rendered.parts.filter(
    (part, i) => part.says && printed.letters(i) === 0 && !isBookkeeping(part),
  );
  const left = [
    ...silent.filter((part) => isThought(part, conversation)),
    ...withoutEffect(
      conversation,
      silent.filter((part) => !isThought(part, conversation)),
      rendered.text,
      render,
    ),
  ];
  const keys = new Set<string>();
  let needed: string | undefined;
  for (const part of left) {
    const found = judge(part, conversation, trains);
    needed ??= found.needed;
    if (found.key !== undefined) {
      keys.add(found.key);
    }
  }
  const inPart = rendered.parts.some((part, i) => {
    const [first, turn, key] = part.path;
    const letters = printed.letters(i);
    if (first !== 'messages' || key !== 'content' || letters === 0 || letters >= part.letters) {
      return false;
    }
    const message = conversation.messages[turn as number]!;
    const tags = textOf(message).match(new RegExp(THOUGHTS, 'g')) ?? [];
    if (!isAnswer(message) || tags.length === 0) {
      return true;
    }
    // If thoughts are printed, the tags around them are usually the template's own.
    return trains(turn as number) && letters + tags.join('').length < part.letters;
  });
  return { needed, keys: [...keys], inPart };
}

/** What it means that a part is dropped. */
function judge(
  { path }: Part,
  conversation: Conversation,
  trains: (turn: number) => boolean,
): { needed?: string; key?: string } {
  const [first, second, key] = path as [string, number, string];
  if (first === 'tools') {
    return { key: 'tools' };
  }
  if (first === 'kwargs') {
    return { key: `chat_template_kwargs.${String(second)}` };
  }
  const message = conversation.messages[second]!;
  const place = conversation.places?.[second] ?? `messages[${second}]`;
  const list = place.replaceAll(/\[\d+\]/g, '[]');
  if (key === 'content') {
    if (isAnswer(message) && THOUGHTS.test(textOf(message)) && !trains(second)) {
      return {};
    }
    // Some templates print either a turn's calls or its text. If they print neither, the calls are reported.
    if (callsOf(message).length > 0) {
      return { key: `${list}.content beside tool_calls` };
    }
    const role = roleOf(message);
    // The model is asked through the same template: training without the system text is what Python does, too.
    if (SYSTEM_ROLES.has(role)) {
      return { key: place === role ? role : `${list}.content of ${role}` };
    }
    return { needed: `the text of ${place}${place === role ? '' : ` (${role})`}` };
  }
  if (key === 'tool_calls') {
    const field = path.at(-1);
    const call = `the tool call${nameOf(callsOf(message)[path[3] as number])} of ${place}`;
    if (path.length === 4 || field === 'name') {
      return { needed: call };
    }
    if (field === 'arguments') {
      return { needed: `the arguments of ${call}` };
    }
    return { key: `${list}.tool_calls[].${String(field)}` };
  }
  // Templates drop the thoughts of earlier answers on purpose.
  if (REASONING.includes(key) && !trains(second)) {
    return {};
  }
  return { key: `${list}.${key}` };
}

/** Those of the parts that do not affect the output: replacing their values leaves it unchanged. */
function withoutEffect(
  conversation: Conversation,
  parts: readonly Part[],
  text: string,
  render: Render,
): readonly Part[] {
  let tries = Math.max(1, Math.min(MAX_TRIES, MAX_TRIED / (text.length + 1)));
  const opened = parts.some(({ path }) => path[0] === 'kwargs') ? render(conversation, true) : undefined;
  const isSame = (some: readonly Part[]): boolean => {
    if (tries-- < 1) {
      return false;
    }
    const other = withOther(conversation, some);
    return render(other, false) === text && (opened === undefined || render(other, true) === opened);
  };
  /** Of parts that together affect the output, those that do not. */
  const among = (some: readonly Part[]): readonly Part[] => {
    if (some.length === 1) {
      return [];
    }
    const half = some.length >> 1;
    const halves = [some.slice(0, half), some.slice(half)];
    return halves.flatMap((few) => (isSame(few) ? few : among(few)));
  };
  if (parts.length === 0 || isSame(parts)) {
    return parts;
  }
  // The same key usually fares alike in several turns.
  const kinds = new Map<string, Part[]>();
  for (const part of parts) {
    const kind = part.path.filter((step) => typeof step === 'string').join('.');
    const alike = kinds.get(kind);
    if (alike) {
      alike.push(part);
    } else {
      kinds.set(kind, [part]);
    }
  }
  const mixed = [...kinds.values()].filter((some) => !isSame(some));
  const effective = new Set(mixed.flat());
  for (const part of mixed.flatMap(among)) {
    effective.delete(part);
  }
  return parts.filter((part) => !effective.has(part));
}

/** The paths in a value at which others are substituted; an empty path is the value itself. */
type Places = Map<string | number, Places>;

/** The conversation with other values in some of its parts. */
function withOther(conversation: Conversation, parts: readonly Part[]): Conversation {
  const root: Places = new Map();
  for (const { path } of parts) {
    let places = root;
    for (const step of path) {
      const next: Places = places.get(step) ?? new Map();
      places.set(step, next);
      places = next;
    }
  }
  const other = { ...conversation };
  for (const [key, places] of root as Map<'messages' | 'tools' | 'kwargs', Places>) {
    Object.assign(other, { [key]: changed(conversation[key], places) });
  }
  return other;
}

function changed(value: unknown, places: Places): unknown {
  if (places.size === 0) {
    return otherThan(value);
  }
  if (Array.isArray(value)) {
    const list = [...(value as unknown[])];
    for (const [at, further] of places) {
      list[at as number] = changed(list[at as number], further);
    }
    return list;
  }
  const map = new Map(value as JsonMap);
  for (const [key, further] of places as Map<string, Places>) {
    map.set(key, changed(map.get(key), further));
  }
  return map;
}

/** A value of the same shape with other content. */
function otherThan(value: unknown): unknown {
  if (typeof value === 'string') {
    return `x${value}x`;
  }
  if (typeof value === 'boolean') {
    return !value;
  }
  if (typeof value === 'number') {
    return value + 1;
  }
  if (value instanceof NumberText) {
    return new NumberText(value.text === '7' ? '8' : '7');
  }
  if (Array.isArray(value)) {
    return value.map(otherThan);
  }
  if (!(value instanceof Map)) {
    return value;
  }
  return new Map([...(value as JsonMap)].map(([key, item]) => [key, otherThan(item)]));
}

/** A marker within <think>: other words of a thought would be printed. */
const isThought = ({ path: [first, turn, key] }: Part, { messages }: Conversation): boolean =>
  first === 'messages' && key === 'content' && THOUGHTS.test(textOf(messages[turn as number]!));

const isBookkeeping = ({ path }: Part): boolean =>
  path[2] === 'role' || (path[2] === 'tool_calls' && BOOKKEEPING.includes(String(path.at(-1))));

const isAnswer = (message: Message): boolean => message.get('role') === 'assistant';

const roleOf = (message: Message): string => quoted(String(message.get('role'))).slice(1, -1);

function textOf(message: Message): string {
  const content = message.get('content');
  return typeof content === 'string' ? content : '';
}

function callsOf(message: Message): unknown[] {
  const calls = message.get('tool_calls');
  return Array.isArray(calls) ? calls : [];
}

/** A call's name as used in a message. */
function nameOf(call: unknown): string {
  if (!(call instanceof Map)) {
    return '';
  }
  const inner: unknown = call.get('function');
  const name: unknown = (inner instanceof Map ? inner : call).get('name');
  return typeof name === 'string' ? ` ${quoted(name)}` : '';
}
