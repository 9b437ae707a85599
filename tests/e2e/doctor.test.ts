import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { retune } from '../support/cli.ts';

const NODE_OPTIONS = `--import=${new URL('../support/use-null-webgpu.mjs', import.meta.url)}`;

it('doctor says of each part whether it is fine or what to do, and no path or name', async () => {
  const home = mkdtempSync(join(tmpdir(), 'retune-secret-name-'));
  const places = { HOME: home, XDG_CACHE_HOME: join(home, 'cache'), HF_HOME: join(home, 'hf') };
  try {
    const { code, stdout, stderr } = await retune(['doctor'], { ...places, NODE_OPTIONS });
    expect([code, stderr]).toEqual([0, '']);
    for (const what of ['retune', 'node', 'dawn', 'GPU', 'limits', 'precision f16', 'disk of the cache']) {
      expect(stdout).toMatch(new RegExp(`^(  ok|look)  ${what}: \\S`, 'm'));
    }
    const lines = stdout.trimEnd().split('\n');
    for (const [i, line] of lines.entries()) {
      expect(line).toMatch(/^( {2}ok {2}|look {2}| {6}→ )\S/);
      if (!line.startsWith('      →')) {
        expect(line.startsWith('look'), line).toBe(lines[i + 1]?.startsWith('      →') ?? false);
      }
    }
    for (const secret of ['secret-name', process.cwd(), tmpdir()]) {
      expect(stdout).not.toContain(secret);
    }
    const none = await retune(['doctor'], { ...places, VK_DRIVER_FILES: '/nowhere.json' });
    expect([none.code, none.stderr]).toEqual([0, '']);
    expect(none.stdout).toMatch(
      /^look {2}GPU: No GPU: Dawn found neither .*\n {6}→ install a GPU driver, or .*[^.]$/m,
    );
  } finally {
    rmSync(home, { recursive: true });
  }
});
