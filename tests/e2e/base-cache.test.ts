import { rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import { retune } from '../support/cli.ts';
import { Scene } from '../support/scene.ts';

/** Its runs are on a device that computes next to nothing. */
const NODE_OPTIONS = `--import=${new URL('../support/use-null-webgpu.mjs', import.meta.url).href}`;
const retuned = (args: readonly string[]) => retune(args, { NODE_OPTIONS });

it('a run resumes without its base folder, and the cache is listed and emptied', async () => {
  const scene = new Scene('prequant');
  const cache = ['--base-cache', scene.path('cache')];
  scene.write('training_config.yaml', 'training: {num_train_epochs: 1, logging_steps: 1}');
  const first = await retuned([...scene.finetune(), ...cache]);
  expect([first.code, first.stderr]).toEqual([0, '']);
  expect(first.stdout).not.toContain('hashing');

  // Files that somebody else puts beside the bases are not touched.
  scene.write('cache/notes.txt', 'mine');
  const list = async () => {
    const { stdout } = await retuned(['cache', 'list', '--json', ...cache]);
    return JSON.parse(stdout) as { id: string; name: string; bytes: number }[];
  };
  const [base, ...others] = await list();
  expect([base!.name, others]).toEqual([scene.path('base'), []]);
  expect((await retuned(['cache', ...cache])).stdout).toMatch(
    new RegExp(`\\n${base!.id} .* KiB  \\d{4}-\\d\\d-\\d\\d  ${scene.path('base')}\\n`),
  );

  rmSync(scene.path('base'), { recursive: true });
  const without = scene.finetune({ base: undefined });
  scene.remove('v2/retune_state.json');
  const second = await retuned([...without, ...cache]);
  expect([second.code, second.stderr]).toEqual([0, '']);
  expect(second.stdout).not.toContain('hashing');
  expect(second.stdout).toContain('\nFinished ');

  const unknown = await retuned(['cache', 'delete', 'x', ...cache]);
  expect([unknown.code, unknown.stderr]).toEqual([
    2,
    `retune cache: there is no base "x" in ${scene.path('cache')}, expected ${base!.id} or all; see retune cache list.\n`,
  ]);
  expect((await retuned(['cache', 'delete', base!.id, ...cache])).stdout).toMatch(/^Deleted 1 base, /);
  expect([await list(), scene.exists('cache/notes.txt')]).toEqual([[], true]);
  const gone = await retuned([...without, ...cache]);
  expect(gone.code).toBe(2);
  expect(gone.stderr).toContain(
    `retune finetune: --base is missing, and the base of ${scene.path('v2')} is not in the cache, and "toy/`,
  );
  expect(gone.stderr).toMatch(
    / is neither a folder nor in Hugging Face's cache \(.+\); name the base's folder\.\n$/,
  );
  scene.close();
});
