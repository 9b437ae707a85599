import { proxy, wrap } from 'comlink';
import type { BenchApi } from '../engine/bench-host.ts';
import host from '../engine/bench-host.ts?worker&url';
import { ownScript } from '../platform/own-script.ts';

/**
 * The page at `?bench` (or `?bench=tiny`, `?bench=0.5b`, …): the tables of `retune bench`, as plain text, and its JSON.
 * `&precision=f32` and `&section=steps`, once or several times, leave out the others; `&memory=4GB` is what steps may
 * take.
 */
export async function showBench(root: HTMLElement): Promise<void> {
  const title = document.createElement('h1');
  const [state, tables] = [document.createElement('p'), document.createElement('div')];
  const report = document.createElement('pre');
  title.textContent = document.title = 'Retune, measured';
  state.setAttribute('role', 'status');
  root.className = 'bench';
  root.replaceChildren(title, state, tables, report);
  const add = (text: string) => {
    const pre = document.createElement('pre');
    pre.textContent = text;
    tables.append(pre);
  };
  const worker = new Worker(ownScript(host), { type: 'module', name: 'bench' });
  const { measure } = wrap<BenchApi>(worker);
  try {
    const end = await measure(
      location.href,
      proxy((text) => (state.textContent = `Measuring: ${text}`)),
      proxy((title, cells, notes) => add([title, ...aligned(cells), ...notes].join('\n'))),
      proxy((text) => add(`Note: ${text}`)),
      proxy((json) => (report.textContent = json)),
    );
    state.textContent = `Finished: ${end}`;
  } catch (error) {
    state.textContent = error instanceof Error ? error.message : String(error);
  } finally {
    worker.terminate();
  }
}

/** Rows of cells with their columns below one another. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  );
}
