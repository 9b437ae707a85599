import { UserError } from '../formats/user-error.ts';
import { lastName } from './card.ts';
import type { FloatType } from './float-bytes.ts';
import { ggufLoraExport } from './gguf/lora.ts';
import { ggufExport } from './gguf/model.ts';
import { mergedFiles } from './merged.ts';
import { ollamaExport } from './ollama.ts';
import type { Export } from './output-file.ts';
import { openSource, type SourceOptions } from './source.ts';

/** The types of weights, by the names that people use. */
export const TYPES = ['bf16', 'f16', 'f32', 'q8_0', 'q4_k_m'] as const;
export type WeightType = (typeof TYPES)[number];

const FLOATS: Readonly<Partial<Record<WeightType, FloatType>>> = { bf16: 'BF16', f16: 'F16', f32: 'F32' };

interface FormFacts {
  /** What it is, for a choice among them. */
  readonly label: string;
  readonly types: readonly WeightType[];
  /** The type that is taken if none is named; undefined: the base's own. */
  readonly type: WeightType | undefined;
  /** Whether it is one file, not a folder. */
  readonly isFile: boolean;
}

/** The forms that a result can be exported in. */
export const FORMS = {
  merged: {
    label: 'a folder of safetensors that transformers, vLLM and others load',
    types: ['bf16', 'f16', 'f32'],
    type: undefined,
    isFile: false,
  },
  gguf: {
    label: 'one file for llama.cpp, LM Studio, Jan and others',
    types: TYPES,
    type: 'q8_0',
    isFile: true,
  },
  'gguf-lora': {
    label: 'the adapter alone, for those who have the base as GGUF',
    types: ['bf16', 'f16', 'f32'],
    type: 'f32',
    isFile: true,
  },
  ollama: {
    label: 'a folder with the GGUF and a Modelfile for Ollama',
    types: TYPES,
    type: 'q8_0',
    isFile: false,
  },
} as const satisfies Record<string, FormFacts>;
export type Form = keyof typeof FORMS;

export interface ExportOptions extends SourceOptions {
  form: Form;
  /** undefined: the form's default. */
  type: WeightType | undefined;
  /** The system prompt of an Ollama model. */
  system?: string | undefined;
}

/**
 * Reads and checks everything that an export needs, and says what it will write. The files' chunks compute the content,
 * a piece of a tensor at a time. Neither folder is written to. Throws UserError.
 */
export async function planExport(options: ExportOptions): Promise<Export> {
  const { form, onto } = options;
  checkType(form, options.type);
  if (form === 'gguf-lora' && onto === 'nf4') {
    throw new UserError(
      'retune export: gguf-lora holds the adapter alone, so there is nothing that --onto nf4 could merge it onto; leave --onto out, or choose --to gguf.',
    );
  }
  if (options.system !== undefined && form !== 'ollama') {
    throw new UserError(
      `retune export: ${form} has no place for a system prompt; leave --system out, or choose --to ollama.`,
    );
  }
  const type = options.type ?? FORMS[form].type;
  const source = await openSource(options);
  switch (form) {
    case 'merged':
      return { files: await mergedFiles(source, type && FLOATS[type]), notes: source.notes };
    case 'gguf':
      return ggufExport(source, type!, fileName(source.adapterFolder.name, type!));
    case 'gguf-lora':
      return ggufLoraExport(source, FLOATS[type!]!, fileName(source.adapterFolder.name, type!));
    case 'ollama':
      return ollamaExport(source, type!, fileName(source.adapterFolder.name, type!), options.system);
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
