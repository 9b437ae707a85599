import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { expect, it } from 'vitest';
import { type CommandResult, retune } from '../support/cli.ts';
import { Scene } from '../support/scene.ts';

/** Starts a fine-tuning and sends it a signal as soon as a line of it contains `when`, and `before` is done. */
function stopAt(scene: Scene, when: string, signal: NodeJS.Signals, before?: (pid: number) => Promise<void>) {
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    const child = spawn(process.execPath, ['dist/cli/retune.js', ...scene.finetune()]);
    let [stdout, stderr, seen] = ['', '', false];
    child.stdout.on('data', (text) => {
      stdout += text;
      if (seen || !stdout.includes(when)) {
        return;
      }
      seen = true;
      void Promise.resolve(before?.(child.pid!)).finally(() => child.kill(signal));
    });
    child.stderr.on('data', (text) => (stderr += text));
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

it('a stopped run says how to resume, and the same command resumes', async () => {
  const scene = new Scene();
  const rows = readFileSync(scene.path('train.jsonl'), 'utf8').split('\n');
  scene.write('train.jsonl', rows.slice(0, 12).join('\n'));
  const first = await stopAt(scene, 'GPU:', 'SIGTERM');
  expect([first.code, first.stderr]).toEqual([143, '']);
  expect(first.stdout).toMatch(/\nStopped before training began; run the same command again to start\.\n$/);
  expect(scene.exists('v2')).toBe(false);

  let others: CommandResult[] = [];
  let pid = 0;
  const second = await stopAt(scene, 'step 1/3', 'SIGHUP', async (running) => {
    pid = running;
    others = [await retune(scene.finetune()), await retune(['inspect', scene.path('v2')])];
  });
  expect([second.code, second.stderr]).toEqual([129, '']);
  const who = `process ${pid} on the host "${hostname()}" since `;
  expect([others[0]!.code, others[0]!.stdout]).toEqual([2, '']);
  expect(others[0]!.stderr).toContain(`v2: another run writes there, ${who}`);
  expect(others[1]!.stdout).toContain(`Note: ${who}`);
  const [, step] = /\nStopped after step (\d) of 3; run the same command again to resume from there/.exec(
    second.stdout,
  )!;
  expect(Number(step)).toBeGreaterThan(0);
  expect(readdirSync(scene.path('v2')).toSorted()).toEqual([`checkpoint-${step}`, 'logs']);

  const third = await retune(scene.finetune());
  expect([third.code, third.stderr]).toEqual([0, '']);
  expect(third.stdout).toContain(`\nresuming after step ${step}\n`);
  expect(third.stdout).toContain(`\nFinished 3 steps in `);
  expect(scene.exists('v2/adapter_model.safetensors')).toBe(true);

  scene.write('training_config.yaml', 'training: {learning_rate: 1}');
  const changed = await retune(scene.finetune());
  expect(changed.code).toBe(2);
  expect(changed.stderr).toMatch(
    /started with other inputs: changed the recipe \(SHA-256 \S+ then, \S+ now\); bring/,
  );
  scene.close();
});
