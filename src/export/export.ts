import { UserError } from '../formats/user-error.ts';
import { lastName, lossesText } from './card.ts';
import type { FloatType } from './float-bytes.ts';
import { type Form, type FormFacts, FORMS, TYPES, type WeightType } from './forms.ts';
import { ggufLoraExport } from './gguf/lora.ts';
import { ggufExport, storedAs } from './gguf/model.ts';
import type { Losses } from './losses.ts';
import { mergedFiles, mergedType, ownType } from './merged.ts';
import { ollamaExport } from './ollama.ts';
import { type Export, exportBytes } from './output-file.ts';
import { openSource, type Source, type SourceOptions } from './source.ts';
import type { StoredAs } from './written-model.ts';

export { type Form, FORMS, TYPES, type WeightType };

const FLOATS: Readonly<Partial<Record<WeightType, FloatType>>> = { bf16: 'BF16', f16: 'F16', f32: 'F32' };

interface Wanted {
  form: Form;
  /** undefined: the form's default. */
  type: WeightType | undefined;
  /** The system prompt of an Ollama model, in place of the rows' or the chat template's. */
  system?: string | undefined;
}

export interface ExportOptions extends SourceOptions, Wanted {
  /** Evaluates what is exported, for its card and its notes. */
  judge?: Judge | undefined;
}

/** Tells the losses of what is exported, whose weights are stored as it says; `plan` is what will be written. */
export type Judge = (source: Source, storedAs: StoredAs, plan: Export) => Promise<Losses>;

/**
 * Reads and checks everything that an export needs, and says what it will write. The files' chunks compute the content,
 * a piece of a tensor at a time. Neither folder is written to. Throws UserError.
 */
export async function planExport(options: ExportOptions): Promise<Export> {
  const { form, judge } = options;
  checkWanted(options);
  if (!judge) {
    return exportOf(await openSource(options), options);
  }
  const { source, plan, losses } = await judged({ ...options, judge });
  const told = form === 'merged' ? await exportOf(source, { ...options, losses }) : plan;
  return { ...told, notes: [...plan.notes, await judgement(source, options, losses)] };
}

/** The losses of what an export would write, after the same checks; writes nothing. Throws UserError. */
export async function exportLosses(options: ExportOptions & { judge: Judge }): Promise<Losses> {
  checkWanted(options);
  return (await judged(options)).losses;
}

async function judged(options: ExportOptions & { judge: Judge }) {
  const source = await openSource(options);
  // What cannot be written is told before minutes go by.
  const plan = await exportOf(source, options);
  return { source, plan, losses: await options.judge(source, await storedTypes(source, options), plan) };
}

async function storedTypes(source: Source, { form, type: named }: Wanted): Promise<StoredAs> {
  const type = named ?? FORMS[form].type;
  return form === 'merged'
    ? mergedType(source, type && FLOATS[type])
    : (tensor) => storedAs(tensor, type!, source.base.config);
}

/** Both losses in a sentence, with the type, and what its weights were evaluated in. */
async function judgement(source: Source, wanted: Wanted, losses: Losses): Promise<string> {
  const type = wanted.type ?? FORMS[wanted.form].type ?? (await ownType(source)).toLowerCase();
  const rounded = type === 'bf16' || type === 'f16' ? '' : ', its weights rounded to f16 for that';
  return `${lossesText(losses)} in ${type}${rounded}.`;
}

function checkWanted({ form, type, onto, system, judge }: ExportOptions): void {
  checkType(form, type);
  if (form === 'gguf-lora' && onto === 'nf4') {
    throw new UserError(
      'retune export: gguf-lora holds the adapter alone, so there is nothing that --onto nf4 could merge it onto; leave --onto out, or choose --to gguf.',
    );
  }
  if (system !== undefined && form !== 'ollama') {
    throw new UserError(
      `retune export: ${form} has no place for a system prompt; leave --system out, or choose --to ollama.`,
    );
  }
  if (judge && form === 'gguf-lora') {
    throw new UserError(
      'retune export: gguf-lora merges nothing, so --val-data has nothing to compare; leave it out.',
    );
  }
}

/** How large an adapter becomes in a form and type, or why it cannot have that. */
export interface ExportSize extends Pick<Wanted, 'form' | 'type'> {
  readonly size: { readonly bytes: number } | { readonly problem: string };
}

/** The sizes in every form and type, merged in the base's own first. Reads no weights. Throws UserError. */
export async function exportSizes(options: SourceOptions): Promise<ExportSize[]> {
  const source = await openSource({ ...options, sizesOnly: true });
  const sizes: ExportSize[] = [];
  for (const form of Object.keys(FORMS) as Form[]) {
    const { types, type: standard }: FormFacts = FORMS[form];
    for (const type of standard === undefined ? [undefined, ...types] : types) {
      sizes.push({ form, type, size: await sizeOf(source, { form, type }) });
    }
  }
  return sizes;
}

async function sizeOf(source: Source, wanted: Wanted): Promise<ExportSize['size']> {
  try {
    return { bytes: exportBytes((await exportOf(source, wanted)).files) };
  } catch (error) {
    if (error instanceof UserError) {
      return { problem: error.message };
    }
    throw error;
  }
}

async function exportOf(
  source: Source,
  { form, type: named, system, losses }: Wanted & { losses?: Losses },
): Promise<Export> {
  const type = named ?? FORMS[form].type;
  switch (form) {
    case 'merged':
      return { files: await mergedFiles(source, type && FLOATS[type], { losses }), notes: source.notes };
    case 'gguf':
      return ggufExport(source, type!, fileName(source.adapterFolder.name, type!));
    case 'gguf-lora':
      return ggufLoraExport(source, FLOATS[type!]!, fileName(source.adapterFolder.name, type!));
    case 'ollama':
      return ollamaExport(source, type!, fileName(source.adapterFolder.name, type!), system);
  }
}

/** "v2-Q8_0.gguf": as the files of other models are named. */
function fileName(adapter: string, type: WeightType): string {
  const name = lastName(adapter).replace(/[^\w.-]+/g, '-');
  return `${name}-${type.toUpperCase()}.gguf`;
}

/** Throws UserError for a type that the form cannot have. */
export function checkType(form: Form, type: WeightType | undefined): void {
  const { types }: FormFacts = FORMS[form];
  if (type !== undefined && !types.includes(type)) {
    throw new UserError(
      `retune export: ${form} has the types ${types.join(', ')}, and ${type} is none of these; choose another --type${form === 'merged' ? ', or --to gguf' : ''}.`,
    );
  }
}
