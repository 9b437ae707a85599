import type { ChosenFolder, ChosenInputs, RunRecord } from '../../engine/protocol/protocol.ts';

type Ancestry = Pick<RunRecord, 'id' | 'sourceRun' | 'sourceLineage' | 'inputs'>;

/**
 * What a run's result is called: V2 where it continued an adapter from elsewhere, V3 where that adapter's card says that
 * it continued another, V1 where it began with none, and one more for every run of this browser that it was continued
 * from.
 */
export function resultName(id: string | undefined, runs: readonly Ancestry[]): string {
  return `V${generation(id, runs)}`;
}

/** What the adapter that a run continued is called. */
export function sourceName(id: string | undefined, runs: readonly Ancestry[]): string {
  return `V${Math.max(1, generation(id, runs) - 1)}`;
}

/** What an adapter is called that is chosen to be continued; where none is, what is to be chosen. */
export function adapterName(chosen: ChosenFolder | undefined, runs: readonly Ancestry[]): string {
  if (chosen?.run === undefined) {
    return 'V1';
  }
  const name = resultName(chosen.run, runs);
  return chosen.step === undefined ? name : `${name} step ${chosen.step}`;
}

/** What a new run is called: what it continues, and the rows that are new. */
export function runName({ base, source, train }: ChosenInputs, runs: readonly Ancestry[]): string {
  const from = source?.run === undefined ? (source ?? base).name : adapterName(source, runs);
  return `${from} + ${train.file.name}`;
}

function generation(id: string | undefined, runs: readonly Ancestry[]): number {
  let behind = 0;
  let run = runs.find((one) => one.id === id);
  // An imported record may claim a cycle.
  while (run?.sourceRun !== undefined && behind < runs.length) {
    behind++;
    const source = run.sourceRun;
    run = runs.find((one) => one.id === source);
  }
  if (run && run.inputs.source === undefined) {
    return behind + 1;
  }
  return behind + ((run?.sourceLineage?.source ?? 'none') === 'none' ? 2 : 3);
}
