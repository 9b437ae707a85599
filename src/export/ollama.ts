// Reference: Ollama, docs/modelfile.md (FROM, TEMPLATE, SYSTEM, PARAMETER) and docs/template.md.
import { UserError } from '../formats/user-error.ts';
import { CURSOR, readCursor } from '../run/checkpoint/checkpoint.ts';
import { ChatTemplate } from '../text/chat-template.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';
import { lastName } from './card.ts';
import { ggufExport } from './gguf/model.ts';
import type { GgufType } from './gguf/tensor-types.ts';
import { type Export, textOutput } from './output-file.ts';
import type { Source } from './source.ts';

/** How a model is prompted, as Ollama writes it; `ends` stop an answer. */
interface OllamaTemplate {
  readonly template: string;
  readonly ends: readonly string[];
  /** The text of a conversation by this template, to compare with what the model's own prints. */
  readonly prints: (system: string | undefined, turns: readonly (readonly [string, string])[]) => string;
}

type Role = 'system' | 'user' | 'assistant';

/** A template whose turns are each `turn(role, content)`, and which opens an answer by `opening`. */
function byTurns(
  begin: string,
  open: (role: string) => string,
  close: string,
  ends: readonly string[],
): OllamaTemplate {
  const go = (role: Role, value: string) => `${open(role)}${value}${close}`;
  return {
    // No dashes in the braces: they would cut the line breaks of the turns.
    template: [
      `{{ if .System }}${go('system', '{{ .System }}')}{{ end }}`,
      `{{ range .Messages }}{{ if eq .Role "user" }}${go('user', '{{ .Content }}')}`,
      `{{ else if eq .Role "assistant" }}${go('assistant', '{{ .Content }}')}{{ end }}{{ end }}`,
      open('assistant'),
    ].join(''),
    ends,
    prints: (system, turns) =>
      [
        begin,
        system === undefined ? '' : go('system', system),
        ...turns.map(([role, content]) => go(role as Role, content)),
        open('assistant'),
      ].join(''),
  };
}

/** The templates of known families. */
const KNOWN: readonly OllamaTemplate[] = [
  // ChatML: Qwen2, Qwen2.5, Qwen3, SmolLM2.
  byTurns('', (role) => `<|im_start|>${role}\n`, '<|im_end|>\n', ['<|im_end|>']),
  // Llama 3. Ollama puts the token of the beginning before a prompt by itself.
  byTurns('<|begin_of_text|>', (role) => `<|start_header_id|>${role}<|end_header_id|>\n\n`, '<|eot_id|>', [
    '<|eot_id|>',
  ]),
];

/** How rows of plain text are prompted: the recipe's form, without a system prompt. */
const TEXT: OllamaTemplate = {
  template: '### Instruction:\n{{ .Prompt }}\n\n### Response:\n',
  ends: [],
  prints: () => '',
};

/**
 * A folder with the GGUF and a Modelfile. Its system prompt is the given one, or the one that all training rows had, or
 * the chat template's own.
 */
export async function ollamaExport(
  source: Source,
  type: GgufType,
  fileName: string,
  system: string | undefined,
): Promise<Export> {
  const { files, notes } = await ggufExport(source, type, fileName);
  const { adapterFolder, tokenizer } = source;
  const name = lastName(adapterFolder.name)
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-');
  const cursor = (await adapterFolder.open(CURSOR)) && (await readCursor(adapterFolder));
  const found = cursor?.prompt === 'text' ? { known: TEXT, standard: undefined } : knownTemplate(tokenizer);
  return {
    files: [
      ...files,
      textOutput(
        'Modelfile',
        modelfile(fileName, found?.known, tokenizer, system ?? cursor?.system ?? found?.standard),
      ),
    ],
    notes: [
      ...notes,
      ...(found
        ? []
        : [
            'The chat template is none of ChatML or Llama 3, so the Modelfile has no TEMPLATE and Ollama goes by the template in the GGUF; check its first answer.',
          ]),
    ],
    commands: [`ollama create ${name} -f Modelfile`, `ollama run ${name}`],
  };
}

/**
 * The known template that prints what the model's own does for a conversation, and the system prompt that the model's
 * own prints if there is none; undefined if no known one does.
 */
function knownTemplate(
  tokenizer: TextTokenizer,
): { known: OllamaTemplate; standard: string | undefined } | undefined {
  const own = (system?: string) => printed(tokenizer, system);
  const withSystem = own(SYSTEM);
  const known = KNOWN.find(({ prints }) => prints(SYSTEM, TURNS) === withSystem);
  if (!known) {
    return undefined;
  }
  const without = own() ?? '';
  const [before, after] = known.prints(SYSTEM, TURNS).split(SYSTEM) as [string, string];
  if (without === known.prints(undefined, TURNS)) {
    return { known, standard: undefined };
  }
  return without.startsWith(before) && without.endsWith(after)
    ? { known, standard: without.slice(before.length, without.length - after.length) }
    : undefined;
}

/** A conversation to compare templates by. */
const SYSTEM = 'zero';
const TURNS: readonly (readonly [Role, string])[] = [
  ['user', 'one'],
  ['assistant', 'two'],
  ['user', 'three'],
];

/** What the model's own chat template prints; undefined if it has none, or refuses. */
function printed(tokenizer: TextTokenizer, system: string | undefined): string | undefined {
  const turns = system === undefined ? TURNS : [['system', system] as const, ...TURNS];
  try {
    const messages = turns.map(
      ([role, content]) =>
        new Map([
          ['role', role],
          ['content', content],
        ]),
    );
    return tokenizer.decode(new ChatTemplate(tokenizer).prompt({ messages }));
  } catch (error) {
    if (error instanceof UserError) {
      return undefined;
    }
    throw error;
  }
}

function modelfile(
  file: string,
  known: OllamaTemplate | undefined,
  tokenizer: TextTokenizer,
  system: string | undefined,
): string {
  const own = [tokenizer.named.eos?.content].filter((text) => text !== undefined);
  const stops = known ? [...new Set([...known.ends, ...own])] : own;
  return [
    `FROM ./${file}`,
    ...(known ? [`TEMPLATE ${quoted(known.template)}`] : []),
    ...(system === undefined ? [] : [`SYSTEM ${quoted(system)}`]),
    ...stops.map((text) => `PARAMETER stop ${JSON.stringify(text)}`),
    'PARAMETER temperature 0.7',
    'PARAMETER top_p 0.9',
    '',
  ].join('\n');
}

/** A text of several lines in a Modelfile. Three quotation marks would end it, one before them too. */
function quoted(text: string): string {
  if (text.includes('"""')) {
    throw new UserError(
      'The system prompt has """ in it, which no Modelfile can hold; choose the form gguf.',
    );
  }
  return `"""${text}${text.endsWith('"') ? '\n' : ''}"""`;
}
