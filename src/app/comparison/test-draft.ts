import type {
  FamilyMember,
  NamedVersion,
  OfRun,
  QuestionsFacts,
  TestInputs,
  TestVersion,
} from '../../engine/protocol/comparison.ts';
import type { ChosenFile, ChosenFolder, RunRecord } from '../../engine/protocol/protocol.ts';
import type { PromptForm } from '../../generate/prompt-form.ts';
import { GREEDY, RECIPE_SAMPLING } from '../../generate/sampling.ts';
import type { AppState, ChoiceSlot } from '../shared/app-state.ts';

/** The draft of a test. */
export interface TestDraft {
  questions: ChoiceSlot<ChosenFile, QuestionsFacts>;
  /** undefined: what stage one or the latest run has. */
  base: ChosenFolder | undefined;
  /** undefined: as with the base; 'none': no loss is measured. */
  validation: ChosenFile | 'none' | undefined;
  /** Adapter folders that were added here. */
  folders: readonly ChosenFolder[];
  /** Keys of the chosen versions; undefined: V1 and V2 of `run`. */
  versions: readonly string[] | undefined;
  /** The run that the test is about; undefined: the latest. */
  run: string | undefined;
  form: PromptForm | undefined;
  greedy: boolean;
  /** As typed. */
  maxNewTokens: string;
}

export const emptyDraft: TestDraft = {
  questions: { reading: false },
  base: undefined,
  validation: undefined,
  folders: [],
  versions: undefined,
  run: undefined,
  form: undefined,
  greedy: true,
  maxNewTokens: '512',
};

/** A version that can be tested. */
export interface Candidate {
  key: string;
  /** The name of its column, such as V2. */
  name: string;
  detail: string;
  /** The heading that it stands under. */
  group: string;
  version: TestVersion;
}

/** Everything that could answer: the base, what each run began with, made and kept (oldest first), and folders. */
export function testCandidates(
  runs: readonly RunRecord[],
  family: readonly FamilyMember[],
  folders: readonly ChosenFolder[],
  /** The adapter of stage one. */
  source?: ChosenFolder,
): Candidate[] {
  const list = new Map<string, Candidate>();
  const add = (candidate: Candidate) => list.has(candidate.key) || list.set(candidate.key, candidate);
  add({
    key: 'base',
    name: 'Base',
    detail: 'without any adapter',
    group: 'Base model',
    version: { kind: 'base' },
  });
  const oldestFirst = runs.toSorted((a, b) => a.created - b.created);
  for (const { id, name: group, inputs, status, checkpoints, maxSteps, taken } of oldestFirst) {
    const member = family.find(({ run }) => run === id);
    const parent = family.find(({ key }) => key === member?.parent);
    const generation = member?.generation ?? (inputs.source === undefined ? 1 : 2);
    const name = `V${generation}`;
    // The results of other runs are listed already.
    if (inputs.source !== undefined && parent?.kind !== 'run') {
      const key = `source/${parent?.key ?? id}`;
      const source = { name: `V${generation - 1}`, detail: inputs.source, group };
      add({ key, ...source, version: { kind: 'source', run: id } });
    }
    const addStep = (step: number, detail: string) =>
      add({
        key: `checkpoint/${id}/${step}`,
        name: `${name} step ${step}`,
        detail,
        group,
        version: { kind: 'checkpoint', run: id, step },
      });
    if (taken) {
      addStep(taken.step, `taken as ${name}`);
    }
    if (status === 'finished') {
      add({
        key: `result/${id}`,
        name,
        detail: 'what the run made',
        group,
        version: { kind: 'result', run: id },
      });
    }
    for (const { step } of checkpoints) {
      if (status !== 'finished' || step !== maxSteps) {
        addStep(step, 'checkpoint');
      }
    }
  }
  if (source && !source.run && !runs.some(({ inputs }) => inputs.source === source.name)) {
    add({
      key: 'stage one',
      name: 'V1',
      detail: source.name,
      group: 'Chosen in stage one',
      version: { kind: 'folder', folder: source },
    });
  }
  folders.forEach((folder, i) =>
    add({
      key: `folder/${i}`,
      name: folder.name.split('/').at(-1)!,
      detail: folder.name,
      group: 'Folders',
      version: { kind: 'folder', folder },
    }),
  );
  return [...list.values()];
}

/** The chosen versions: as ticked, or by default V1 and V2, or what was taken as that, of the draft's run, or of the latest. */
export function chosenVersions(
  draft: TestDraft,
  all: readonly Candidate[],
  runs: readonly RunRecord[],
): Candidate[] {
  if (draft.versions) {
    return all.filter(({ key }) => draft.versions!.includes(key));
  }
  const finished = runs.filter((run) => run.status === 'finished' || run.taken);
  const latest = finished.find(({ id }) => id === draft.run) ?? finished[0];
  const made = (run: string, step: number | undefined): string =>
    step === undefined ? `result/${run}` : `checkpoint/${run}/${step}`;
  const result = latest && all.find(({ key }) => key === made(latest.id, latest.taken?.step));
  if (!latest || !result) {
    return all.filter(({ version }) => version.kind === 'folder');
  }
  const before =
    all.find(({ version }) => version.kind === 'source' && version.run === latest.id) ??
    all.find(({ key }) => key === (latest.sourceRun ? made(latest.sourceRun, latest.sourceStep) : 'base'));
  return [...(before ? [before] : []), result];
}

/** Names that tell the versions apart: where two share one, their run's or folder's stands beside it. */
export function named(versions: readonly Candidate[]): NamedVersion[] {
  const taken = new Set<string>();
  return versions.map(({ name, group, detail, version }) => {
    const twice = versions.filter((other) => other.name === name).length > 1;
    const where = version.kind === 'folder' ? detail : group;
    let own = twice ? `${name} (${where})` : name;
    for (let i = 2; taken.has(own); i++) {
      own = `${name} (${i})`;
    }
    taken.add(own);
    return { name: own, version };
  });
}

/** Where the base and the validation rows come from unless the test has its own: stage one, else the latest run. */
export function usual(state: AppState): {
  base: ChosenFolder | OfRun | undefined;
  validation: ChosenFile | OfRun | undefined;
} {
  const { base, validation } = state.slots;
  if (base.answer?.ok) {
    return { base: base.chosen, validation: validation.answer?.ok ? validation.chosen : undefined };
  }
  const latest = state.runs[0];
  if (!latest) {
    return { base: undefined, validation: undefined };
  }
  const own: OfRun = { run: latest.id };
  return { base: own, validation: latest.inputs.validation === undefined ? undefined : own };
}

/** The maximum answer length, or the message that says what is wrong with it. */
export function maxLengthOf(typed: string): number | string {
  const length = Number(typed);
  return Number.isInteger(length) && length >= 1
    ? length
    : `Maximum answer length: found "${typed}", expected a whole number of at least 1; change it.`;
}

/** The test in the engine's form, or what is still missing, in words. */
export function testInputs(
  draft: TestDraft,
  state: AppState,
  versions: readonly Candidate[],
): TestInputs | { missing: string } {
  const { questions } = draft;
  const given = usual(state);
  const base = draft.base ?? given.base;
  const length = maxLengthOf(draft.maxNewTokens);
  if (questions.answer && !questions.answer.ok) {
    return { missing: 'Fix first: the questions file.' };
  }
  const left = [
    ...(questions.chosen ? [] : ['questions']),
    ...(base ? [] : ['a base model']),
    ...(versions.length > 0 ? [] : ['at least one version']),
  ];
  if (left.length > 0) {
    return { missing: `Still to choose: ${left.join(', ')}.` };
  }
  if (!questions.answer) {
    return { missing: 'The questions are being read…' };
  }
  if (typeof length === 'string') {
    return { missing: length };
  }
  const list = named(versions);
  const validation = draft.validation ?? given.validation;
  return {
    name: `${questions.chosen!.file.name}: ${list.map(({ name }) => name).join(', ')}`,
    base: base!,
    questions: questions.chosen!,
    validation: validation === 'none' ? undefined : validation,
    versions: list,
    options: {
      form: draft.form,
      sampling: draft.greedy ? GREEDY : RECIPE_SAMPLING,
      maxNewTokens: length,
      seed: 42,
    },
  };
}
