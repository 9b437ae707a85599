import type { RunNotes, TestRecord } from '../../engine/protocol/comparison.ts';
import type { RunRecord } from '../../engine/protocol/protocol.ts';
import { counted, showBytes } from '../../formats/words.ts';

const NAMED = ['result', 'conversations', 'corrections'] as const;
const names = new Intl.ListFormat('en-US', { type: 'conjunction' });

/** What is asked before a run is deleted: what goes with it, and what stays of that which was made with it. */
export function runDeletionQuestion(
  { id, bytes, parts, tests }: Pick<RunNotes, 'id' | 'bytes' | 'parts' | 'tests'>,
  records: readonly Pick<TestRecord, 'id' | 'name' | 'versions'>[],
  runs: readonly Pick<RunRecord, 'name' | 'status' | 'sourceRun'>[],
): string {
  const checkpoints = parts.filter((part) => part.startsWith('checkpoint ')).length;
  const gone = [
    ...(checkpoints > 0 ? [counted(checkpoints, 'checkpoint')] : []),
    ...NAMED.filter((part) => parts.includes(part)),
  ];
  const sentences = [
    `Delete this run for good${gone.length > 0 ? `, with its ${names.format(gone)}` : ''}? It frees ${showBytes(bytes)}.`,
  ];
  const stay = records.filter((test) => tests.includes(test.id));
  if (stay.length > 0) {
    const verb = stay.length === 1 ? 'stays' : 'stay';
    sentences.push(`${counted(stay.length, 'test')} of it ${verb}, with answers and votes.`);
  }
  const waiting = stay.filter(({ versions }) =>
    versions.some(({ run, state }) => run === id && state !== 'finished'),
  );
  const begun = runs.filter(({ sourceRun, status }) => sourceRun === id && status === 'unfinished');
  if (waiting.length + begun.length > 0) {
    const open = names.format([...waiting, ...begun].map(({ name }) => name));
    sentences.push(`What is unfinished and needs it cannot be continued then: ${open}.`);
  }
  return sentences.join(' ');
}
