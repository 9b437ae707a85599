import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { nodeFolder } from '../../src/cli/node-files.ts';
import { freshAdapter } from '../../src/formats/adapter.ts';
import { openBaseModel } from '../../src/formats/base-model.ts';
import { defaultRecipe } from '../../src/formats/recipe.ts';
import { mib } from '../../src/gpu/memory.ts';
import { adapterFiles } from '../../src/run/checkpoint/checkpoint.ts';

/** Where the 3 GB base of Qwen2.5-1.5B's shapes is, or is written at the first run. */
const FOLDER = process.env.RETUNE_SYNTHETIC_BASE ?? join(tmpdir(), 'synthetic-1.5b');
/** Its largest linear weight, of 8960 × 1536 values, in f32. */
const TENSOR = 8960 * 1536 * 4;

let work: string;
beforeAll(async () => {
  if (!existsSync(join(FOLDER, 'model.safetensors'))) {
    execFileSync(process.execPath, ['tests/reference/write_synthetic_base.mjs', FOLDER], {
      stdio: 'inherit',
    });
  }
  work = mkdtempSync(join(tmpdir(), 'retune-export-long-'));
  const { config } = await openBaseModel(await nodeFolder(FOLDER));
  const adapter = freshAdapter(defaultRecipe().lora, config, 42, 'synthetic');
  mkdirSync(join(work, 'v2'));
  for (const [name, chunks] of Object.entries(adapterFiles(adapter.weights, adapter.config))) {
    writeFileSync(join(work, 'v2', name), Buffer.concat(chunks));
  }
});
afterAll(() => rmSync(work, { recursive: true }));

it.each([
  ['merged', 'bf16', 'base'],
  ['merged', 'bf16', 'nf4'],
  ['gguf', 'q4_k_m', 'base'],
])('%s in %s onto %s keeps at most two tensors and 200 MB in memory', async (to, type, onto) => {
  const before = await peakOf(['doctor', '--help']);
  const output = join(work, `${to}-${onto}`);
  const peak = await peakOf([
    ...['export', '--base', FOLDER, '--model', join(work, 'v2'), '--to', to, '--type', type],
    ...['--onto', onto, '--output', output],
  ]);
  rmSync(output, { recursive: true });
  const beyond = peak - before;
  console.log(`${to} ${type} onto ${onto}: ${mib(peak)} MiB, ${mib(beyond)} MiB beyond an idle command`);
  expect(beyond).toBeLessThan(2 * TENSOR + 200e6);
});

/** Peak bytes of memory of a command. */
function peakOf(args: readonly string[]): Promise<number> {
  const preload = join(work, 'peak.mjs');
  writeFileSync(
    preload,
    "process.on('exit', () => console.error(`PEAK ${process.resourceUsage().maxRSS * 1024}`));",
  );
  return new Promise((resolve, reject) => {
    const command = ['--import', preload, 'dist/cli/retune.js', ...args];
    execFile(process.execPath, command, { maxBuffer: 2 ** 26 }, (error, _, stderr) => {
      const [, peak] = /^PEAK (\d+)$/m.exec(stderr) ?? [];
      if (error || peak === undefined) {
        reject(error ?? new Error(stderr));
      } else {
        resolve(Number(peak));
      }
    });
  });
}
