import { cpSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FaultScene } from './fault-scene.ts';

/** Stride over the operations, for a quick check. */
const STRIDE = Number(process.env.FAULT_STRIDE ?? 1);

/** Makes every file operation of short runs fail in each of these ways, one at a time. */
export function strikeEverywhere(faults: readonly string[]): void {
  let scene: FaultScene;
  beforeAll(async () => void (scene = await FaultScene.open()));
  afterAll(() => scene.close());

  const fresh = async (): Promise<void> => scene.reset();

  /** An output that holds another finished run. */
  async function occupied(): Promise<void> {
    scene.reset();
    cpSync(scene.path('earlier'), scene.path('out'), { recursive: true });
  }

  /** A result of batch-test for V1 and one for "V2". */
  async function tested(): Promise<void> {
    scene.reset();
    cpSync(scene.path('earlier-answers'), scene.path('out'), { recursive: true });
  }

  const SCENARIOS = {
    'a new run': { args: () => scene.finetune(), prepare: fresh },
    'a run in the place of another': { args: () => scene.finetune('--resume', 'never'), prepare: occupied },
    'a batch test': { args: () => scene.batchTest(), prepare: fresh },
    'a batch test over an earlier one': { args: () => scene.batchTest(), prepare: tested },
    'a comparison': { args: () => scene.compare(), prepare: tested },
  };

  it('makes what the scenarios begin with', async () => {
    const ended = [await scene.run([...scene.finetune(), '--config', scene.otherRecipe()])];
    scene.keep('earlier');
    scene.reset();
    ended.push(await scene.run([...scene.batchTest(), '--repetition-penalty', '1.5']));
    scene.keep('earlier-answers');
    expect(ended.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ''],
      [0, ''],
    ]);
  });

  it.each(
    Object.entries(SCENARIOS).flatMap(([name, how]) => faults.map((fault) => [name, fault, how] as const)),
  )('%s survives %s wherever it strikes', async (_name, fault, { args, prepare }) => {
    await prepare();
    const undisturbed = await scene.run(args());
    expect([undisturbed.code, undisturbed.stderr]).toEqual([0, '']);
    const whole = scene.outcome();
    const problems: string[] = [];
    let strikes = 0;
    for (let at = 1; at <= undisturbed.trace.length; at += STRIDE, strikes++) {
      const lasting = fault === 'lasting';
      const strike = { at, fault: lasting ? 'ENOSPC' : fault, lasting };
      const { wrong } = await scene.judge(args(), strike, whole, prepare);
      const { op, path } = undisturbed.trace[at - 1]!;
      for (const what of wrong) {
        problems.push(`${op} ${path} (${at}): ${what}`);
      }
    }
    console.log(`${strikes} strikes, ${problems.length} problems`);
    expect(problems).toEqual([]);
  });
}
