import { nodeFolder, rowsSource } from '../../src/cli/node-files.ts';
import { readOwnRecipe } from '../../src/cli/options.ts';
import type { OutputFile } from '../../src/export/output-file.ts';
import type { Recipe } from '../../src/formats/recipe.ts';
import { type HandoverOptions, planHandover } from '../../src/handover/handover.ts';
import { casePath } from './model-case.ts';

/** A hand-over of a case, its files by path, and its notes. */
export async function handedOver(
  name: Parameters<typeof casePath>[0],
  change: (recipe: Recipe) => Recipe = (recipe) => recipe,
  options: Partial<HandoverOptions> = {},
): Promise<{ files: Map<string, Uint8Array<ArrayBuffer>>; notes: readonly string[] }> {
  const { files, notes } = await planHandover({
    inputs: {
      base: await nodeFolder(casePath(name, 'base')),
      source: await nodeFolder(casePath(name, 'v1')),
      train: await rowsSource(casePath(name, 'train.jsonl'), undefined),
      validation: await rowsSource(casePath(name, 'val.jsonl'), undefined),
      recipe: change(await readOwnRecipe(casePath(name, 'training_config.yaml'))),
    },
    start: 'V1',
    emit: () => undefined,
    ...options,
  });
  return { files: new Map(await Promise.all(files.map(contentOf))), notes };
}

async function contentOf(file: OutputFile): Promise<[string, Uint8Array<ArrayBuffer>]> {
  const chunks = [];
  for await (const chunk of file.chunks()) {
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(Buffer.concat(chunks));
  if (bytes.length !== file.bytes) {
    throw new Error(`${file.path}: ${bytes.length} bytes, and ${file.bytes} were said`);
  }
  return [file.path, bytes];
}
