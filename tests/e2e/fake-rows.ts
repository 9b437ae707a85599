import { promptsIn } from '../../src/engine/files/prompts-in.ts';
import type { Answer, ChosenFile, EngineApi } from '../../src/engine/protocol/protocol.ts';
import type { ShownRow } from '../../src/engine/protocol/rows.ts';
import { blobSource } from '../../src/formats/blob-source.ts';
import { jsonLines } from '../../src/formats/json-line.ts';
import { sha256 } from '../../src/formats/sha256.ts';
import { UserError } from '../../src/formats/user-error.ts';
import { rowsHolding } from '../../src/text/find-rows.ts';
import { readOrderedRows } from '../../src/text/read-rows.ts';
import { rowLines } from '../../src/text/row-lines.ts';

const fileOf = ({ file }: ChosenFile) => blobSource(file.name, file, 'choose it again');

async function answer<T>(work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    if (error instanceof UserError) {
      return { ok: false, sentence: error.message };
    }
    throw error;
  }
}

/** The rows with the edits over them, of the form {"text"}: a token a character. */
async function shown(rows: ChosenFile, maxLength: number): Promise<ShownRow[]> {
  const changes = rows.changes && { ...rows.changes, leftOut: [] };
  const all: ShownRow[] = [];
  for await (const { row, place, edited } of readOrderedRows({ ...fileOf(rows), changes })) {
    const text = row.get('text');
    if (typeof text !== 'string') {
      throw new UserError(
        `${rows.file.name}, line ${place}${edited ? ', as edited' : ''}: the key text is missing; add it.`,
      );
    }
    const begin = Math.max(0, text.indexOf('### Response:'));
    all.push({
      place,
      length: text.length,
      trained: Math.max(0, Math.min(text.length, maxLength) - begin),
      hash: [...text].reduce((hash, char) => (hash * 31 + char.codePointAt(0)!) % 2 ** 40, 7),
      json: jsonLines(row),
      pieces: [
        { text: text.slice(0, begin), trained: false },
        { text: text.slice(begin), trained: true },
      ],
      hidden: 0,
      why: '',
    });
  }
  return all;
}

/** Looking through rows, without a tokenizer. */
export const fakeRows = (): Pick<
  EngineApi,
  'hashRows' | 'surveyRows' | 'showRows' | 'findRows' | 'promptsIn' | 'exportRows' | 'exportTokens'
> => ({
  hashRows: (rows) => answer(() => sha256(fileOf(rows))),
  surveyRows: (_, rows, maxLength) =>
    answer(async () => {
      const all = await shown(rows, maxLength);
      const survey = {
        format: 'text' as const,
        unit: 'line' as const,
        maxLength,
        places: Uint32Array.from(all, ({ place }) => place),
        lengths: Uint32Array.from(all, ({ length }) => length),
        trained: Uint32Array.from(all, ({ trained }) => trained),
        hashes: Float64Array.from(all, ({ hash }) => hash),
      };
      return { survey, sha256: await sha256(fileOf(rows)) };
    }),
  showRows: (_, rows, maxLength, places) =>
    answer(async () => (await shown(rows, maxLength)).filter(({ place }) => places.includes(place))),
  findRows: (rows, text) =>
    answer(() =>
      rowsHolding(
        { ...fileOf(rows), changes: rows.changes && { ...rows.changes, leftOut: [] } },
        text,
        () => undefined,
      ),
    ),
  promptsIn: (file, of, most) => answer(() => promptsIn(file, of, most)),
  exportTokens: (_, { file }) => answer(() => Promise.resolve(new Blob([`PAR1 ${file.name}`]))),
  exportRows: (rows) =>
    answer(async () => {
      const lines: string[] = [];
      for await (const { json } of rowLines({ ...fileOf(rows), changes: rows.changes })) {
        lines.push(`${json}\n`);
      }
      return new Blob(lines);
    }),
});
