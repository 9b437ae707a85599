import { type FileChunk, withoutStart } from '../formats/chunks.ts';
import type { OpenedText, RowText } from './row-byte-ranges.ts';

/** The lists that a results file of a test, and a file of questions, may hold their entries in. */
const LISTS: ReadonlySet<string> = new Set(['results', 'questions']);

/**
 * The text from the list of its entries on, if it is one JSON object over several lines that has such a list, as the
 * results that `batch-test` writes.
 */
export function listWithin({ name, head, chunks, line }: OpenedText): RowText | undefined {
  const text = new TextDecoder().decode(head);
  const [firstLine = ''] = text.split('\n', 1);
  if (firstLine.length === text.length || isJson(firstLine)) {
    return undefined;
  }
  const found = /^\s*\{/.test(text) ? listIn(text) : undefined;
  if (found === undefined) {
    return undefined;
  }
  const before = text.slice(0, found);
  return {
    name,
    chunks: skipping(chunks, new TextEncoder().encode(before).length),
    line: line + before.split('\n').length - 1,
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Where the list under one of those keys of the outermost object begins. */
function listIn(text: string): number | undefined {
  let depth = 0;
  let string = '';
  let key: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === '"') {
      const begin = at + 1;
      for (at++; at < text.length && text[at] !== '"'; at++) {
        at += text[at] === '\\' ? 1 : 0;
      }
      string = text.slice(begin, at);
    } else if (char === ':' && depth === 1) {
      key = string;
    } else if (char === '[' && depth === 1 && key !== undefined && LISTS.has(key)) {
      return at;
    } else if (char === '{' || char === '[') {
      depth++;
    } else if (char === '}' || char === ']') {
      depth--;
    } else if (char === ',' && depth === 1) {
      key = undefined;
    }
  }
  return undefined;
}

async function* skipping(chunks: AsyncIterable<FileChunk>, count: number): AsyncGenerator<FileChunk> {
  for await (const chunk of chunks) {
    const skipped = Math.min(count, chunk.bytes.length);
    count -= skipped;
    yield skipped > 0 ? withoutStart(chunk, skipped) : chunk;
  }
}
