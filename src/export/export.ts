import { UserError } from '../formats/user-error.ts';
import type { FloatType } from './float-bytes.ts';
import { mergedFiles } from './merged.ts';
import type { Export } from './output-file.ts';
import { openSource, type SourceOptions } from './source.ts';

/** The forms that a result can be exported in. */
export const FORMS = ['merged'] as const;
export type Form = (typeof FORMS)[number];

/** The types of weights, by the names that people use. */
export const TYPES = ['bf16', 'f16', 'f32'] as const;
export type WeightType = (typeof TYPES)[number];

const FLOATS: Readonly<Partial<Record<WeightType, FloatType>>> = { bf16: 'BF16', f16: 'F16', f32: 'F32' };

export interface ExportOptions extends SourceOptions {
  form: Form;
  /** By default the base's own. */
  type: WeightType | undefined;
}

/**
 * Reads and checks everything that an export needs, and says what it will write. The files' chunks compute the content,
 * with two pieces of a tensor in memory at a time. Neither folder is written to. Throws UserError.
 */
export async function planExport(options: ExportOptions): Promise<Export> {
  const { form, type } = options;
  checkType(form, type);
  const source = await openSource(options);
  return { files: await mergedFiles(source, type && FLOATS[type]), notes: source.notes };
}

/** Throws UserError for a type that the form cannot have. */
export function checkType(form: Form, type: WeightType | undefined): void {
  if (type !== undefined && !FLOATS[type]) {
    throw new UserError(
      `retune export: ${form} is written in bf16, f16 or f32, and ${type} is none of these; choose another --type, or --to gguf.`,
    );
  }
}
