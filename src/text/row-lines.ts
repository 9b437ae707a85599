import { jsonLine } from '../formats/json-line.ts';
import { decodeUtf8 } from '../formats/utf8.ts';
import { pieces } from './changed-pieces.ts';
import type { RowsSource } from './columns.ts';
import { inLine } from './in-line.ts';
import { orderedRow } from './read-rows.ts';
import { RowColumns } from './row-columns.ts';

/**
 * The rows of a dataset as they are trained, each as a line of JSONL: with the changes over the file, and under the
 * keys that they are read as. Reading these lines gives the same tokens. Throws UserError naming file and line.
 */
export async function* rowLines(source: RowsSource): AsyncGenerator<{ json: string; bytesRead: number }> {
  const columns = new RowColumns(source.name, source.columns);
  for await (const piece of pieces(source)) {
    const raw = orderedRow(source.name, piece);
    if (!raw) {
      continue;
    }
    const { bytesRead } = raw;
    columns.decide(raw);
    const text = 'bytes' in piece && !columns.columns ? decodeUtf8(piece.bytes)!.trim() : '\n';
    if (text.includes('\n')) {
      const { row } = inLine(`${source.name}, ${columns.unit} ${raw.line}`, () => columns.read(raw));
      yield { json: jsonLine(row), bytesRead };
    } else {
      yield { json: text, bytesRead };
    }
  }
}
