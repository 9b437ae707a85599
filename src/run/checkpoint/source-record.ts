import type { Folder } from '../../formats/byte-source.ts';
import { UserError } from '../../formats/user-error.ts';
import type { PromptForm } from '../../generate/prompt-form.ts';
import { TrainedRows } from '../checks/trained-rows.ts';
import { CURSOR, readCursor } from './checkpoint.ts';

/** What an adapter made by Retune says of how it was trained. */
export interface SourceRecord {
  readonly prompt: PromptForm;
  /** Absent in what earlier versions made. */
  readonly trainedRows?: TrainedRows | undefined;
}

/** The record beside an adapter; undefined if there is none, or none that can be read: nothing is decided by it. */
export async function readSourceRecord(folder: Folder | undefined): Promise<SourceRecord | undefined> {
  if (!folder || !(await folder.open(CURSOR))) {
    return undefined;
  }
  try {
    const { prompt, trainedRows } = await readCursor(folder);
    return { prompt, trainedRows: TrainedRows.parse(trainedRows) };
  } catch (error) {
    if (!(error instanceof UserError)) {
      throw error;
    }
    return undefined;
  }
}
