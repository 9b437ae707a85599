import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeFolder } from '../../src/cli/node-files.ts';
import type { LogEntry } from '../../src/formats/trainer-state.ts';
import { parseYaml } from '../../src/formats/yaml.ts';
import { readCardLineage } from '../../src/run/card-lineage.ts';
import { adapterHash } from '../../src/run/checkpoint/identity.ts';
import { retuneHere } from '../support/cli-here.ts';
import { type CaseName, casePath, CASES } from '../support/model-case.ts';
import { expectedRun, expectLog } from '../support/reference-run.ts';

/** A Python with what requirements.txt of a hand-over names. */
const PYTHON = process.env.RETUNE_PYTHON;

let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'retune-handover-'));
});
afterEach(() => rmSync(work, { recursive: true }));

async function handOver(name: CaseName): Promise<string> {
  const folder = join(work, name);
  const { code, stderr } = await retuneHere([
    'handover',
    ...['--base', casePath(name, 'base'), '--source-model', casePath(name, 'v1')],
    ...['--train-data', casePath(name, 'train.jsonl'), '--val-data', casePath(name, 'val.jsonl')],
    ...['--config', casePath(name, 'training_config.yaml'), '--output', folder],
  ]);
  expect(code, stderr).toBe(0);
  return folder;
}

interface Launch {
  name: CaseName;
  folder: string;
  output: string;
  processes?: number;
  /** The folder's own train.py, with bitsandbytes; otherwise with the arithmetic of tests/reference. */
  own?: boolean;
  env?: Record<string, string>;
}

/** The log of a training on this machine's CPU. */
function train({ name, folder, output, processes = 1, own = false, env = {} }: Launch): LogEntry[] {
  const script = own ? [join(folder, 'train.py')] : ['tests/reference/run_handover.py', folder];
  const launcher =
    processes === 1
      ? []
      : ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', String(processes)];
  const place = join(folder, output);
  execFileSync(PYTHON!, [...launcher, ...script, '--base', casePath(name, 'base'), '--output', place], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, OMP_NUM_THREADS: '1', HF_HUB_OFFLINE: '1', ...env },
  });
  const state = JSON.parse(readFileSync(join(place, 'trainer_state.json'), 'utf8')) as {
    log_history: LogEntry[];
  };
  return state.log_history;
}

/** Losses of the steps, and of the evaluations. */
const losses = (log: readonly LogEntry[], key: 'loss' | 'eval_loss'): number[] =>
  log.map((entry) => entry[key]).filter((loss) => loss !== undefined);

function expectClose(ours: readonly number[], theirs: readonly number[], bound: number): void {
  expect(ours).toHaveLength(theirs.length);
  expect(Math.max(...ours.map((loss, i) => Math.abs(loss - theirs[i]!)))).toBeLessThan(bound);
}

// PyTorch is no dependency of this project, so these run only where RETUNE_PYTHON names an interpreter that has it.
describe.skipIf(!PYTHON)('a hand-over, in PyTorch', () => {
  it.each(CASES)('%s: one process gives the losses of the reference', async (name) => {
    const folder = await handOver(name);
    expectLog(expectedRun(name), train({ name, folder, output: 'output' }));
  });

  it('two processes give the losses of one, and an adapter that comes back with its lineage', async () => {
    const name = 'chat_messages';
    const folder = await handOver(name);
    const one = train({ name, folder, output: 'one' });
    const two = train({ name, folder, output: 'two', processes: 2 });
    expectClose(losses(two, 'loss'), losses(one, 'loss'), 1e-5);
    expectClose(losses(two, 'eval_loss'), losses(one, 'eval_loss'), 1e-5);
    const output = join(folder, 'two');
    expect(await readCardLineage(await nodeFolder(output))).toMatchObject({
      source: await adapterHash(await nodeFolder(casePath(name, 'v1'))),
    });
    expect(readdirSync(output)).not.toContain('training_args.bin');
    const { code, stdout } = await retuneHere(['inspect', output]);
    expect(code).toBe(0);
    expect(stdout).toContain('continued from');
  });

  it('three processes share rows that do not divide by three', async () => {
    const name = 'batch2';
    const folder = await handOver(name);
    const three = train({ name, folder, output: 'three', processes: 3 });
    expectClose(losses(three, 'loss'), losses(expectedRun(name).log_history, 'loss'), 2e-5);
  });

  it('processes that cannot share a step are refused in one sentence', async () => {
    const name = 'batch2';
    const folder = await handOver(name);
    expect(() => train({ name, folder, output: 'two', env: { WORLD_SIZE: '2' } })).toThrow(
      'gradient_accumulation_steps is 3, which 2 processes cannot share without changing the rows of a step; start one of these numbers of processes: 1, 3.',
    );
  });

  it('bitsandbytes on a CPU, and FSDP-QLoRA over two processes, train the same', async () => {
    const name = 'chat_messages';
    const folder = await handOver(name);
    const reference = losses(expectedRun(name).log_history, 'loss');
    expectClose(losses(train({ name, folder, output: 'one', own: true }), 'loss'), reference, 2e-5);
    const { fsdp_config: settings } = parseYaml(
      readFileSync(join(folder, 'accelerate/fsdp-qlora.yaml'), 'utf8'),
      'fsdp-qlora.yaml',
    ) as { fsdp_config: Record<string, unknown> };
    // As accelerate launch sets them, which starts processes on GPUs only.
    const env = Object.fromEntries(
      Object.entries(settings).map(([key, value]) => [
        key.toUpperCase().replace('TRANSFORMER_LAYER_CLS', 'TRANSFORMER_CLS'),
        String(value),
      ]),
    );
    const fsdp = train({
      name,
      folder,
      output: 'fsdp',
      processes: 2,
      own: true,
      env: { ACCELERATE_USE_FSDP: 'true', ...env },
    });
    expectClose(losses(fsdp, 'loss'), reference, 2e-5);
    expect((await retuneHere(['inspect', join(folder, 'fsdp')])).code).toBe(0);
  });

  it('every Python file is Python', async () => {
    const folder = await handOver('batch2');
    execFileSync(PYTHON!, ['-m', 'py_compile', join(folder, 'train.py')]);
    execFileSync('bash', ['-n', join(folder, 'slurm.sh')]);
  });
});
