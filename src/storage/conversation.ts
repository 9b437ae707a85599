import { Fields } from '../formats/fields.ts';

/** Who answers: the base alone, what the run started from, its result, or one of its checkpoints. */
export type ChatVersion = 'base' | 'v1' | 'v2' | `checkpoint-${number}`;

/** How an answer is generated. */
export interface ChatSampling {
  /** Divides the logits; 0 is greedy. */
  temperature: number;
  /** Keeps the most likely tokens up to this total probability; 1 keeps all. */
  topP: number;
  /** Maximum tokens of an answer. */
  maxNewTokens: number;
  /** An integer below 2³²: with it, an answer repeats on the same device. */
  seed: number;
  /** An answer ends before the first of these. */
  stop: readonly string[];
}

/** What ended an answer. It is stored, so 'cancelled' stays spelled as it always was. */
const ENDINGS = ['stop id', 'stop text', 'length', 'cancelled', 'failed'] as const;

export interface StoredAnswer {
  version: ChatVersion;
  /** What was said; of a failed answer why, and what to do. */
  text: string;
  ended: (typeof ENDINGS)[number];
}

/** A message of the user and its answers, in the order in which they are shown. */
export interface StoredTurn {
  question: string;
  sampling: ChatSampling;
  /** The answers stand without their versions' names until there is a vote. */
  blind: boolean;
  answers: readonly StoredAnswer[];
  /** The best answer's version. */
  vote?: ChatVersion | 'same' | undefined;
}

/** A conversation with one version or several; each continues its own answers. */
export interface StoredConversation {
  id: string;
  /** Milliseconds since 1970. */
  created: number;
  /** Empty for none. */
  system: string;
  /** An integer below 2³², drawn anew for each conversation: it shuffles the answers of blind turns. */
  shuffle: number;
  turns: readonly StoredTurn[];
}

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const VERSION = /^(?:base|v1|v2|checkpoint-(?:0|[1-9]\d{0,8}))$/;
const WORD = { whole: true, min: 0, max: 2 ** 32 - 1 } as const;
const MAX_TURNS = 1000;
const MAX_ANSWERS = 64;
const MAX_STOPS = 16;

/** A conversation from a file that anybody may have written. Throws UserError naming the key. */
export function parseConversation(value: unknown, file: string, remedy: string): StoredConversation {
  const fields = new Fields(file, value, '', remedy);
  return {
    id: matching(fields, 'id', ID, 'the id of a conversation'),
    created: fields.number('created', { whole: true, min: 0, max: 8.64e15 }),
    system: fields.string('system'),
    shuffle: fields.number('shuffle', WORD),
    turns: list(fields, 'turns', MAX_TURNS).map((turn, i) =>
      parseTurn(new Fields(file, turn, `turns[${i}].`, remedy), `turns[${i}].`, remedy),
    ),
  };
}

function parseTurn(fields: Fields, path: string, remedy: string): StoredTurn {
  const sampling = fields.section('sampling');
  const answers = list(fields, 'answers', MAX_ANSWERS).map((answer, i) => {
    const own = new Fields(fields.file, answer, `${path}answers[${i}].`, remedy);
    return {
      version: matching(own, 'version', VERSION, 'a version') as ChatVersion,
      text: own.string('text'),
      ended: own.choice('ended', ENDINGS),
    };
  });
  const vote = fields.has('vote')
    ? (matching(fields, 'vote', /^(?:same|base|v1|v2|checkpoint-\d{1,9})$/, 'a version or "same"') as
        ChatVersion | 'same')
    : undefined;
  return {
    question: fields.string('question'),
    sampling: {
      temperature: sampling.number('temperature', { min: 0 }),
      topP: sampling.number('topP', { above: 0, max: 1 }),
      maxNewTokens: sampling.number('maxNewTokens', { whole: true, min: 1 }),
      seed: sampling.number('seed', WORD),
      stop: list(sampling, 'stop', MAX_STOPS).map((text) =>
        typeof text === 'string' && text !== '' ? text : sampling.refuse('stop', 'a list of texts'),
      ),
    },
    blind: fields.boolean('blind'),
    answers,
    ...(vote !== undefined && { vote }),
  };
}

function list(fields: Fields, key: string, max: number): readonly unknown[] {
  const found = fields.value(key);
  return Array.isArray(found) && found.length <= max
    ? (found as unknown[])
    : fields.refuse(key, `a list of at most ${max} entries`);
}

function matching(fields: Fields, key: string, pattern: RegExp, expected: string): string {
  const found = fields.string(key);
  return pattern.test(found) ? found : fields.refuse(key, expected);
}
