import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import type { Page } from 'playwright-core';

// For tests of "Use V2" in the page.

/** A finished run over the base of the case batch2. */
const RUN = 'tests/fixtures/run';

/** The run as the page exports runs, as a zip in the folder `work`; its result is in v2 there. */
export function runArchive(work: string): string {
  const read = (name: string) => readFileSync(join(RUN, name));
  const json = (name: string) => JSON.parse(read(name).toString()) as Record<string, never>;
  const { step, identity } = json('retune_state.json');
  const record = {
    id: '01234567-89ab-4cde-8f01-23456789abcd',
    name: 'batch2',
    created: Date.UTC(2026, 10, 30),
    status: 'finished',
    ...{ step, maxSteps: step, identity, recipe: read('training_config.yaml').toString() },
    inputs: { base: 'base', source: 'v1', train: 'train.jsonl' },
    log: json('trainer_state.json')['log_history'],
  };
  const names = readdirSync(RUN).filter((name) => statSync(join(RUN, name)).isFile());
  const path = join(work, 'run.zip');
  writeFileSync(
    path,
    zipSync({
      'retune-run.json': Buffer.from(JSON.stringify(record)),
      ...Object.fromEntries(names.map((name) => [`result/${name}`, read(name)])),
    }),
  );
  cpSync(RUN, join(work, 'v2'), { recursive: true });
  return path;
}

/** Imports the run and opens "Use V2". */
export async function useImported(page: Page, url: string, work: string): Promise<void> {
  await page.goto(url);
  await page.getByRole('navigation', { name: 'Stages' }).getByRole('button', { name: 'Runs' }).click();
  await page.locator('[data-slot=import]').setInputFiles(runArchive(work));
  await page.getByText('batch2 was added to your runs.').waitFor();
  await page.getByRole('button', { name: 'Use V2 in other programs' }).click();
  await page.locator('h2:focus', { hasText: 'Use V2' }).waitFor();
}

/** The files of the folder that the stubbed picker gives; folders end in "/". */
export async function outputFiles(page: Page): Promise<Record<string, Uint8Array>> {
  const files = await page.evaluate(async () => {
    const found: [string, string][] = [];
    const read = async (folder: FileSystemDirectoryHandle, prefix: string): Promise<void> => {
      for await (const entry of folder.values()) {
        if (entry.kind === 'directory') {
          found.push([`${prefix}${entry.name}/`, '']);
          await read(entry, `${prefix}${entry.name}/`);
        } else {
          const bytes = new Uint8Array(await (await entry.getFile()).arrayBuffer());
          found.push([
            prefix + entry.name,
            btoa(bytes.reduce((all, byte) => all + String.fromCharCode(byte), '')),
          ]);
        }
      }
    };
    await read(await (await navigator.storage.getDirectory()).getDirectoryHandle('output'), '');
    return found;
  });
  return Object.fromEntries(
    files.map(([path, base64]) => [path, new Uint8Array(Buffer.from(base64, 'base64'))]),
  );
}
