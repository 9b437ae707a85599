import type { ByteSource } from '../formats/byte-source.ts';
import { parseJson } from '../formats/json.ts';
import { anyChanges, noChanges, type RowChanges } from '../formats/row-changes.ts';
import { sha256 } from '../formats/sha256.ts';
import { UserError } from '../formats/user-error.ts';
import { decodeUtf8, encodeUtf8 } from '../formats/utf8.ts';
import type { JsonMap } from './row-fields.ts';
import { filePieces, type Piece } from './row-pieces.ts';

/** A file of rows, and the changes over it. */
export interface ChangedSource extends ByteSource {
  readonly changes?: RowChanges | undefined;
}

/**
 * The rows of a file with the changes over it: without what is left out, edited rows in place of the file's. Throws
 * UserError where the changes are over another file, or over a row that this one does not have.
 */
export async function* pieces(source: ChangedSource): AsyncGenerator<Piece> {
  const changes = anyChanges(source.changes);
  if (!changes) {
    return yield* filePieces(source);
  }
  const { of, from = 'the changes over it' } = changes;
  const found = await sha256(source);
  if (found !== of) {
    throw new UserError(
      `${source.name}: ${from} ${changes.from === undefined ? 'belong' : 'belongs'} to a file with SHA-256 ${of}, and this one has ${found}; take the file that the rows were changed in, or change them anew.`,
    );
  }
  yield* uncheckedPieces(source, true);
}

/**
 * The same, where the file is known to be theirs. `whole`: whether rows that are not there are looked for. Throws
 * UserError for these.
 */
export async function* uncheckedPieces(source: ChangedSource, whole = false): AsyncGenerator<Piece> {
  const changes = source.changes ?? noChanges('');
  const { from = 'the changes over it' } = changes;
  const leftOut = new Set(changes.leftOut);
  const edits = new Map(changes.edited);
  for await (const piece of filePieces(source)) {
    const json = edits.get(piece.place);
    if (json === undefined && !leftOut.has(piece.place)) {
      yield piece;
      continue;
    }
    if (isBlank(piece)) {
      continue;
    }
    leftOut.delete(piece.place);
    edits.delete(piece.place);
    if (json !== undefined) {
      yield { ...editedPiece(piece, json), edited: true };
    }
  }
  const [missing] = !whole ? [] : [...leftOut, ...edits.keys()].toSorted((a, b) => a - b);
  if (missing !== undefined) {
    throw new UserError(
      `${source.name}: there is no row ${missing}, which ${from} ${changes.from === undefined ? 'name' : 'names'}; take the row out of the changes.`,
    );
  }
}

/** Its place, with the content of another row. */
function editedPiece(piece: Piece, json: string): Piece {
  return 'row' in piece
    ? { ...piece, row: parseJson(json, { keepKeyOrder: true, keepNumberText: true }) as JsonMap }
    : { ...piece, bytes: encodeUtf8(json) };
}

/** A line without text is no row. */
const isBlank = (piece: Piece): boolean => 'bytes' in piece && decodeUtf8(piece.bytes)?.trim() === '';
