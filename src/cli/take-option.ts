import { InvalidArgumentError, Option } from 'commander';
import type { OutputFile } from '../export/output-file.ts';
import type { Folder } from '../formats/byte-source.ts';
import { chunksOfFile } from '../formats/chunks.ts';
import { type Take, type Taken, takeStep } from '../run/take.ts';
import { runFolder } from './run-folder.ts';

function readTake(text: string): Take {
  const step = /^\d{1,9}$/.test(text) ? Number(text) : text;
  if (step === 'best' || step === 'last' || (typeof step === 'number' && step > 0)) {
    return step;
  }
  throw new InvalidArgumentError('Expected best, last, or the number of a step');
}

/** The option that says which step of a run to take as V2. */
export const takeOption = (): Option =>
  new Option(
    '--take <step>',
    "the step of a run's output to take as V2, of those whose checkpoints are kept: best (the lowest eval_loss), last, or its number; the output itself stays as it is",
  ).argParser(readTake);

/** A step of the run whose output is at `path`. Throws UserError. */
export async function taken(path: string, take: Take): Promise<Taken & { folder: Folder }> {
  const { step, files } = await takeStep(runFolder(path), take);
  const folder: Folder = {
    name: `${path}/step-${step}`,
    list: () => Promise.resolve([...files.keys()].toSorted()),
    open: (file) => Promise.resolve(files.get(file)),
  };
  return { step, files, folder };
}

/** The files as they stand, to be written. */
export const outputFiles = ({ files }: Pick<Taken, 'files'>): OutputFile[] =>
  [...files].map(([path, source]) => ({
    path,
    bytes: source.size,
    chunks: async function* () {
      for await (const { bytes } of chunksOfFile(source)) {
        yield bytes;
      }
    },
  }));
