// Reference: transformers, src/transformers/tokenization_utils_base.py (chat_template files).
import type { Folder } from '../formats/byte-source.ts';
import { MAX_BYTES, readText } from '../formats/read-text.ts';
import { UserError } from '../formats/user-error.ts';

/** A model's templates are in these files, or in tokenizer_config.json. */
export const TEMPLATE_FILE = 'chat_template.jinja';
/** For conversations with tools; other files of that folder are not used. */
export const TOOL_TEMPLATE_FILE = 'additional_chat_templates/tool_use.jinja';

/** A template's text, and the file that holds it. */
export interface TemplateSource {
  text: string;
  file: string;
}

/** The chat templates of a model. */
export interface ChatTemplates {
  /** By name: "default" for plain conversations, "tool_use" for those with tools. */
  readonly byName: ReadonlyMap<string, TemplateSource>;
  /** Tokens that templates can refer to by name, such as `bos_token`. */
  readonly tokens: ReadonlyMap<string, string>;
}

export const NO_TEMPLATES: ChatTemplates = { byName: new Map(), tokens: new Map() };

/** The template that transformers uses for a conversation with or without tools; undefined if there is none. */
export function templateFor({ byName }: ChatTemplates, withTools: boolean): TemplateSource | undefined {
  return (withTools ? byName.get('tool_use') : undefined) ?? byName.get('default');
}

/** Whether some template writes the current date, so that its output depends on the time. */
export const writesDate = ({ byName }: ChatTemplates): boolean =>
  [...byName.values()].some(({ text }) => text.includes('strftime_now'));

/** Reads a model folder's templates; `config` is its tokenizer_config.json, named `configName`. Throws UserError. */
export async function loadChatTemplates(
  folder: Folder,
  config: Readonly<Record<string, unknown>>,
  configName: string,
): Promise<ChatTemplates> {
  const files = await Promise.all([
    templateFile(folder, TEMPLATE_FILE, 'default'),
    templateFile(folder, TOOL_TEMPLATE_FILE, 'tool_use'),
  ]);
  const found = files.filter((file) => file !== undefined);
  const byName = new Map(found.length > 0 ? found : configured(config['chat_template'], configName));
  return { byName, tokens: namedTokens(config) };
}

async function templateFile(
  folder: Folder,
  path: string,
  name: string,
): Promise<[string, TemplateSource] | undefined> {
  const file = await folder.open(path);
  if (!file) {
    return undefined;
  }
  // Python keeps a byte-order mark, so it is printed.
  const text = await readText(file, MAX_BYTES.chatTemplate, 'a chat template', { keepMark: true });
  return [name, { text, file: file.name }];
}

/** The templates under chat_template of tokenizer_config.json: a single text, or several by name. */
function configured(value: unknown, file: string): [string, TemplateSource][] {
  if (value === undefined || value === null) {
    return [];
  }
  if (typeof value === 'string') {
    return [['default', { text: value, file }]];
  }
  const entries: unknown[] = Array.isArray(value) ? value : [];
  const named = entries.map((entry): [string, TemplateSource] | undefined => {
    const { name, template } = (entry ?? {}) as { name?: unknown; template?: unknown };
    return typeof name === 'string' && typeof template === 'string'
      ? [name, { text: template, file }]
      : undefined;
  });
  const usable = named.filter((entry) => entry !== undefined);
  if (usable.length === entries.length && usable.some(([name]) => name === 'default')) {
    return usable;
  }
  throw new UserError(
    `${file}: chat_template is neither a text nor a list with a template named "default"; take the file from the base model's repository.`,
  );
}

function namedTokens(config: Readonly<Record<string, unknown>>): Map<string, string> {
  const tokens = new Map<string, string>();
  for (const [key, value] of Object.entries(config)) {
    if (!key.endsWith('_token')) {
      continue;
    }
    const content =
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)['content'] : value;
    if (typeof content === 'string') {
      tokens.set(key, content);
    }
  }
  return tokens;
}
