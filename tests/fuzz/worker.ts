import { parentPort, workerData } from 'node:worker_threads';
import { openInputs } from './inputs.ts';
import { judge, LIMIT_MS, now } from './judge.ts';
import type { Job, Report, Shared } from './pool.ts';

/** The thread in which inputs are read: one that hangs or exhausts memory takes only this thread with it. */
const { index, began } = workerData as Shared;
const say = (report: Report): void => parentPort!.postMessage(report);

process.on('unhandledRejection', (error) => {
  throw error;
});

parentPort!.on('message', (job: Job) => void run(job));

async function run({ inputs: name, begin, end }: Job): Promise<void> {
  const inputs = await openInputs(name);
  for (let at = begin; at < end; at++) {
    index[0] = at;
    const files = inputs.at(at);
    const { wall, cpu } = now();
    began[1] = cpu;
    began[0] = wall;
    let verdict = await judge(inputs.format, files);
    // Tried once more, because an earlier input may have left work behind.
    if (verdict.ms > LIMIT_MS) {
      verdict = await judge(inputs.format, files);
    }
    began[0] = 0;
    if (verdict.ms > LIMIT_MS) {
      verdict = {
        ...verdict,
        outcome: 'failed',
        detail: `it took ${Math.round(verdict.ms)} ms: ${verdict.detail}`,
      };
    }
    say({ kind: 'verdict', at, verdict });
  }
  say({ kind: 'done' });
}
