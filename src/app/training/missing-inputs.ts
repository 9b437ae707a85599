import type { GivenInputs, InputPart, RunRecord } from '../../engine/protocol/protocol.ts';
import type { Slots } from '../shared/app-state.ts';
import { isDemoBase } from '../shared/demo.ts';
import { demoBase } from '../shared/demo-tests.ts';

type Lacking = Pick<RunRecord, 'lacks' | 'inputs' | 'handles'>;

/** The bundled demo's base is shipped with the page. */
const isShipped = ({ inputs, handles }: Lacking, part: InputPart): boolean =>
  part === 'base' && !handles.base && isDemoBase(inputs.base);

/** The handles through which the browser still reaches files that it has not copied. */
export const handlesBehind = ({ lacks = [], handles }: Lacking): FileSystemHandle[] =>
  lacks.map((part) => handles[part]).filter((handle) => handle !== undefined);

/** What has to be chosen again; where the handles may not be read, `refused`, they are no way to it. */
export function toChoose(record: Lacking, refused = false): InputPart[] {
  const { lacks = [], handles } = record;
  return lacks.filter((part) => !isShipped(record, part) && (refused || !handles[part]));
}

/** Those files, once all of them are chosen and none is known to be wrong. */
export function chosenAgain(choose: readonly InputPart[], slots: Slots): GivenInputs | undefined {
  const wanted = choose.map((part) => [part, slots[part]] as const);
  const all = wanted.every(([, { chosen, answer, reading }]) => chosen && !reading && answer?.ok !== false);
  return all ? Object.fromEntries(wanted.map(([part, { chosen }]) => [part, chosen])) : undefined;
}

/** The same files, and with them what the page brings along. */
export async function withShipped(record: Lacking, given: GivenInputs): Promise<GivenInputs> {
  const base = record.lacks?.includes('base') && !given.base && isShipped(record, 'base');
  return base ? { ...given, base: await demoBase() } : given;
}
