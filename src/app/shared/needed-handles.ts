import type { EngineApi, InputPart, RunRecord } from '../../engine/protocol/protocol.ts';

/** A part of a run's files. */
export type RunPart = readonly [run: string, part: InputPart];

/** The handles behind these parts, without those of what the browser holds itself: nobody is asked for that. */
export async function neededHandles(
  engine: Pick<EngineApi, 'lacks'>,
  runs: readonly Pick<RunRecord, 'id' | 'handles'>[],
  parts: readonly RunPart[],
): Promise<FileSystemHandle[]> {
  const ids = [...new Set(parts.map(([id]) => id))];
  const answers = await Promise.all(ids.map(async (id) => [id, await engine.lacks(id)] as const));
  const lacking = new Map(answers.map(([id, answer]) => [id, answer.ok ? answer.value : []]));
  return parts.flatMap(([id, part]) => {
    const handle = runs.find((run) => run.id === id)?.handles[part];
    return handle && lacking.get(id)!.includes(part) ? [handle] : [];
  });
}
