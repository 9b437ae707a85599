import type { Command } from 'commander';
import { shorten } from '../../formats/quote.ts';
import { showBytes, showCount } from '../../formats/words.ts';
import { openDisplay } from '../display.ts';
import { type Facts, inspectFile, inspectFolder } from '../inspections.ts';
import { nodeFolder, nodeSource } from '../node-files.ts';
import { lockFacts } from '../output-lock.ts';
import { statsOf } from '../stats.ts';

/** `retune inspect`: what a folder or file holds, and whether it is sound. */
export function inspectCommand(program: Command): void {
  program
    .command('inspect')
    .summary('show what a model, adapter, checkpoint or safetensors file holds')
    .description(
      'Shows what a base model, an adapter, a checkpoint (folders) or a safetensors file holds, and runs the checks of loading it. Exit code 2 and one sentence if it is not sound.',
    )
    .argument('<path>', 'folder or .safetensors file')
    .option('--json', 'print JSON')
    .action(runInspect);
}

async function runInspect(path: string, options: { json?: true }): Promise<void> {
  const display = openDisplay();
  const onProgress = (done: number, total: number) =>
    display.progress({
      task: 'hashing',
      done,
      total,
      figures: [`${showBytes(done)} of ${showBytes(total)}`],
    });
  try {
    const isFolder = (await statsOf(path))?.isDirectory();
    const run = isFolder ? await lockFacts(path) : undefined;
    if (run !== undefined && !options.json) {
      display.line(`Note: ${run}.`);
    }
    const facts = isFolder
      ? await inspectFolder(await nodeFolder(path), onProgress)
      : await inspectFile(await nodeSource(path), onProgress);
    display.close();
    if (options.json) {
      display.json({ path, ...facts, ...(run === undefined ? {} : { run }) });
    } else {
      for (const line of describe(path, facts)) {
        display.line(line);
      }
    }
  } finally {
    display.close();
  }
}

function describe(path: string, { kind, sound, ...facts }: Facts): string[] {
  const shown = Object.entries({ ...facts, sound }).map(([key, value]) => [key, show(value, key)] as const);
  const width = Math.max(...shown.map(([key]) => key.length)) + 2;
  return [
    `${path}: ${String(kind)}`,
    ...shown.flatMap(([key, lines]) =>
      lines.map((line, i) => `  ${(i === 0 ? key.replaceAll('_', ' ') : '').padEnd(width)}${line}`),
    ),
  ];
}

/** Maximum entries of a map, or items of a list, to show; --json has all. */
const MAX_SHOWN = 200;

/** A value as one line, or a long map as one line per entry. Untrusted text is truncated. */
function show(value: unknown, key = ''): string[] {
  if (typeof value === 'number') {
    return [key === 'bytes' ? showBytes(value) : showCount(value)];
  }
  if (typeof value === 'boolean') {
    return [value ? 'yes' : 'no'];
  }
  if (Array.isArray(value)) {
    return [few(value, (item) => shorten(String(item))).join(', ')];
  }
  if (typeof value !== 'object' || value === null) {
    return [shorten(String(value))];
  }
  const entries = few(
    Object.entries(value),
    ([name, inner]) => `${shorten(name)}: ${show(inner, name).join(', ')}`,
  );
  const line = entries.join(', ') || 'none';
  return line.length > 80 ? entries : [line];
}

function few<T>(items: readonly T[], showItem: (item: T) => string): string[] {
  const shown = items.slice(0, MAX_SHOWN).map(showItem);
  return items.length > MAX_SHOWN ? [...shown, `… (${showCount(items.length)} in all)`] : shown;
}
