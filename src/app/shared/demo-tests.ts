import type { TestFiles, TestInputs, TestRecord } from '../../engine/protocol/comparison.ts';
import type { ChosenFolder, RunRecord } from '../../engine/protocol/protocol.ts';
import { demoFiles, isDemoBase } from './demo.ts';
import { missingFiles } from './test-files.ts';

export const demoBase = async (): Promise<ChosenFolder> => (await demoFiles()).base;

const demoAdapter = async (): Promise<ChosenFolder> => (await demoFiles()).source;

const demoValidation = async (): Promise<File> => (await demoFiles()).validation.file;

/** The demo's answers are short, and its base takes 512 tokens at most, prompt and answer together. */
export const DEMO_ANSWER_TOKENS = '32';

/** The bundled demo's questions. */
export async function demoQuestions(): Promise<File> {
  const answer = await fetch(new URL('demo/questions.json', document.baseURI));
  if (!answer.ok) {
    throw new Error(`demo/questions.json: the server answers ${answer.status}`);
  }
  return new File([await answer.blob()], 'questions.json', { type: 'application/json' });
}

/** A new test with the demo's files, which came from this server, where the browser has no other way to them. */
export async function withDemo(inputs: TestInputs, runs: readonly RunRecord[]): Promise<TestInputs> {
  const find = (id: string) => runs.find((run) => run.id === id);
  const isDemo = (id: string) => {
    const run = find(id);
    return run !== undefined && isDemoBase(run.inputs.base) && !run.handles.base;
  };
  const { base, validation, versions } = inputs;
  return {
    ...inputs,
    base: 'run' in base && base.run && isDemo(base.run) ? await demoBase() : base,
    validation:
      validation && 'run' in validation && isDemo(validation.run)
        ? { file: await demoValidation() }
        : validation,
    versions: await Promise.all(
      versions.map(async ({ name, version }) =>
        version.kind === 'source' && isDemo(version.run) && find(version.run)?.sourceRun === undefined
          ? { name, version: { kind: 'folder' as const, folder: await demoAdapter() } }
          : { name, version },
      ),
    ),
  };
}

/** The same for a test that goes on: what was chosen `again`, and the demo's files where they are still missing. */
export async function withDemoAgain(
  record: TestRecord,
  runs: readonly RunRecord[],
  again: TestFiles,
): Promise<TestFiles> {
  if (!isDemoBase(record.base) || record.handles.base) {
    return again;
  }
  const missing = missingFiles(record, runs, again, false);
  const folders = missing.flatMap(({ folder, name }) =>
    folder !== undefined && name === 'demo/v1' ? [folder] : [],
  );
  return {
    base: again.base ?? (await demoBase()),
    validation:
      again.validation ??
      (record.validationFile === 'val.jsonl' ? { file: await demoValidation() } : undefined),
    folders: {
      ...again.folders,
      ...Object.fromEntries(await Promise.all(folders.map(async (i) => [i, await demoAdapter()] as const))),
    },
  };
}
