import { NumberText } from '../formats/json.ts';
import type { JsonMap } from '../text/row-fields.ts';
import type { RowFormat, Sample } from '../text/row-formats.ts';
import type { Correction, EarlierTurn } from './correction.ts';

/** How a row of questions and answers is written, as those were that a version was trained on. */
export type RowForm =
  /** One text: opening, question, middle, answer, end. */
  | { format: 'text'; opening: string; middle: string; end: string }
  /** The prompt is opening, question and middle; the completion begins with `space`. */
  | { format: 'completion'; opening: string; middle: string; space: string }
  | { format: 'messages' | 'conversations' | 'instruction' | 'turns'; system: string | undefined };

/** What stands before a question and before an answer in rows of plain text; the recipe's own comes first. */
const MARKERS = [
  ['### Instruction:\n', '\n\n### Response:\n'],
  ['<|im_start|>user\n', '<|im_end|>\n<|im_start|>assistant\n'],
  [
    '<|start_header_id|>user<|end_header_id|>\n\n',
    '<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n',
  ],
  ['[INST] ', ' [/INST]'],
  ['### Human: ', '### Assistant: '],
  ['### Question:\n', '\n\n### Answer:\n'],
  ['Question: ', '\nAnswer:'],
  ['Human: ', '\n\nAssistant:'],
  ['User: ', '\nAssistant:'],
  ['Q: ', '\nA:'],
] as const;

const [[OPENING, MIDDLE]] = MARKERS;
/** Control tokens, or white space, that end a text. */
const END = /(?:\s*(?:<\|[^|<>]*\|>|<\/?s>|<(?:end|start)_of_turn>|<eos>))*\s*$/;
/** The share of rows that must be of a form for the file to be. */
const MOST = 0.9;

/** The form in which the test puts its questions, for a version of which no row is at hand. */
export const usualForm = (chat: boolean, system: string | undefined): RowForm =>
  chat
    ? { format: 'messages', system }
    : { format: 'completion', opening: OPENING, middle: MIDDLE, space: '' };

/**
 * The form of a file's rows, by some of them. `known` is false where the place of question and answer in its texts was
 * not recognized and the form is that in which a test asks.
 */
export function formOf(
  rows: readonly { sample: Sample; format: RowFormat }[],
  system: string | undefined,
): { form: RowForm; known: boolean } {
  const { sample, format } = rows[0]!;
  if (format === 'text') {
    return textForm(rows.flatMap((row) => (row.sample.kind === 'text' ? [row.sample.text] : [])));
  }
  if (sample.kind === 'completion') {
    return promptForm(rows.flatMap((row) => (row.sample.kind === 'completion' ? [row.sample] : [])));
  }
  return { form: { format: format === 'completion' ? 'turns' : format, system }, known: true };
}

function textForm(texts: readonly string[]): { form: RowForm; known: boolean } {
  const end = commonest(texts.map((text) => END.exec(text)![0]));
  for (const [marker, middleMarker] of MARKERS) {
    const found = texts.flatMap((text) => {
      const at = text.indexOf(marker);
      const middle = at < 0 ? -1 : text.indexOf(middleMarker, at + marker.length);
      if (middle < 0) {
        return [];
      }
      const after = middle + middleMarker.length;
      return [
        { opening: text.slice(0, at + marker.length), middle: middleMarker + spaceAt(text.slice(after)) },
      ];
    });
    const opening = commonest(found.map((one) => one.opening));
    const agreeing = found.filter((one) => one.opening === opening);
    if (agreeing.length >= MOST * texts.length) {
      const middle = commonest(agreeing.map((one) => one.middle));
      return { form: { format: 'text', opening, middle, end }, known: true };
    }
  }
  return { form: { format: 'text', opening: OPENING, middle: MIDDLE, end }, known: false };
}

function promptForm(rows: readonly { prompt: string; completion: string }[]): {
  form: RowForm;
  known: boolean;
} {
  const space = commonest(rows.map(({ completion }) => spaceAt(completion)));
  for (const [marker, middleMarker] of MARKERS) {
    const found = rows.flatMap(({ prompt }) => {
      const at = prompt.indexOf(marker);
      const middle = prompt.lastIndexOf(middleMarker);
      return at < 0 || middle < at + marker.length
        ? []
        : [{ opening: prompt.slice(0, at + marker.length), middle: prompt.slice(middle) }];
    });
    const opening = commonest(found.map((one) => one.opening));
    const middle = commonest(found.map((one) => one.middle));
    const agreeing = found.filter((one) => one.opening === opening && one.middle === middle);
    if (agreeing.length >= MOST * rows.length) {
      return { form: { format: 'completion', opening, middle, space }, known: true };
    }
  }
  return { form: { format: 'completion', opening: '', middle: '', space }, known: true };
}

/** A correction as a row of this form, in JSON's values. */
export function rowOf(form: RowForm, { question, answer, system, history = [] }: Correction): object {
  const before = ({ opening, middle }: { opening: string; middle: string }, space: string): string[] => [
    ...(system ? [system] : []),
    ...history.map((turn) => opening + turn.question + middle + space + turn.answer),
  ];
  switch (form.format) {
    // What came before stands as a chat asks it in plain text: apart by empty lines.
    case 'text':
      return {
        text: [...before(form, ''), form.opening + question + form.middle + answer + form.end].join('\n\n'),
      };
    case 'completion':
      return {
        prompt: [...before(form, form.space), form.opening + question + form.middle].join('\n\n'),
        completion: form.space + answer,
      };
    case 'instruction':
      return {
        ...systemKey(system ?? form.system),
        ...(history.length > 0 && { history: history.map((turn) => [turn.question, turn.answer]) }),
        instruction: question,
        output: answer,
      };
    case 'conversations':
      return {
        ...systemKey(system ?? form.system),
        conversations: [
          ...earlier(history).map(({ role, content }) => ({
            from: role === 'user' ? 'human' : 'gpt',
            value: content,
            ...(role === 'assistant' && { weight: 0 }),
          })),
          { from: 'human', value: question },
          { from: 'gpt', value: answer },
        ],
      };
    case 'messages':
    case 'turns': {
      const prompt = [
        ...systemTurn(system ?? form.system),
        // What was said before is not what is corrected.
        ...earlier(history).map((turn) =>
          turn.role === 'assistant' && form.format === 'messages' ? { ...turn, weight: 0 } : turn,
        ),
        { role: 'user', content: question },
      ];
      const completion = [{ role: 'assistant', content: answer }];
      return form.format === 'messages' ? { messages: [...prompt, ...completion] } : { prompt, completion };
    }
  }
}

/** The question that a row of this form answers; undefined where it cannot be told. */
export function questionOf(form: RowForm, sample: Sample): string | undefined {
  if (sample.kind === 'chat') {
    const asked = sample.conversation.messages.findLast((turn) => turn.get('role') === 'user');
    const content = asked?.get('content');
    return typeof content === 'string' ? content.trim() : undefined;
  }
  if (form.format !== 'text' && form.format !== 'completion') {
    return undefined;
  }
  const text = sample.kind === 'text' ? sample.text : sample.prompt;
  const middle = form.middle.trimEnd();
  const end = middle === '' ? text.length : text.indexOf(middle, form.opening.length);
  return text.startsWith(form.opening) && end >= 0 ? text.slice(form.opening.length, end).trim() : undefined;
}

/** What the form is called, for the user. */
export function formName(form: RowForm): string {
  switch (form.format) {
    case 'text':
      return `text with “${form.opening.trim()}”`;
    case 'completion':
      return form.opening.trim() === ''
        ? 'prompt and completion'
        : `prompt and completion with “${form.opening.trim()}”`;
    case 'turns':
      return 'prompt and completion, as messages';
    default:
      return form.format === 'instruction' ? 'instruction and output' : form.format;
  }
}

/** A row of a file as JSON, with its keys in order and its numbers as they stood. */
export function rowJson(value: unknown): string {
  if (value instanceof Map) {
    const entries = [...(value as JsonMap)].map(([key, inner]) => `${JSON.stringify(key)}:${rowJson(inner)}`);
    return `{${entries.join(',')}}`;
  }
  if (Array.isArray(value)) {
    return `[${value.map(rowJson).join(',')}]`;
  }
  return value instanceof NumberText ? value.text : JSON.stringify(value);
}

const earlier = (history: readonly EarlierTurn[]): { role: 'user' | 'assistant'; content: string }[] =>
  history.flatMap(({ question, answer }) => [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ]);

const systemKey = (system: string | undefined) => (system ? { system } : {});
const systemTurn = (system: string | undefined) => (system ? [{ role: 'system', content: system }] : []);
const spaceAt = (text: string): string => /^[ \n]*/.exec(text)![0];

/** The value that occurs most often, the first of several. */
function commonest(values: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const value of values) {
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return [...counts].reduce((most, one) => (one[1] > most[1] ? one : most), ['', 0] as [string, number])[0];
}
