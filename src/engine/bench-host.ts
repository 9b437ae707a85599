import { ALL_SECTIONS, bench, BENCH_SECTIONS } from '../bench/bench.ts';
import { MODELS } from '../bench/models.ts';
import { reportJson, showSection } from '../bench/report.ts';
import { UserError } from '../formats/user-error.ts';
import { MEMORY_FORM, readMemory } from '../formats/words.ts';
import { NO_ADAPTER, requestGpu } from '../platform/browser-gpu.ts';
import { PRECISION_CHOICES } from '../run/precision.ts';
import { exposeApi } from './expose-api.ts';

const ROUNDS = 5;

/** The benchmark, in its own worker. */
const api = {
  /**
   * Measures what the page's address asks for; hands over each table as soon as it is whole, and the report so far as
   * JSON. Resolves to what to know of the figures. Throws UserError.
   */
  async measure(
    address: string,
    onProgress: (text: string) => void,
    onTable: (title: string, cells: string[][], notes: string[]) => void,
    onNote: (text: string) => void,
    onReport: (json: string) => void,
  ): Promise<string> {
    const { searchParams: asked } = new URL(address);
    const model = asked.get('bench') || '1.5b';
    const sections = asked.getAll('section').map((text) => oneOf('section', text, ALL_SECTIONS));
    const precisions = asked.getAll('precision').map((text) => oneOf('precision', text, PRECISION_CHOICES));
    const { countsOnly } = await bench({
      openGpu,
      models: [oneOf('model', model, MODELS)],
      sections: sections.length > 0 ? sections : BENCH_SECTIONS,
      precisions: precisions.length > 0 ? precisions : undefined,
      memory: memoryOf(asked.get('memory')),
      rounds: ROUNDS,
      force: false,
      facts: {
        date: new Date().toISOString(),
        command: address,
        browser: navigator.userAgent,
      },
      onProgress,
      onSection: (section, countsOnly) =>
        onTable(section.title, showSection(section, countsOnly), section.notes),
      onNote,
      onReport: (report) => Promise.resolve(onReport(JSON.stringify(reportJson(report), null, 2))),
    });
    return countsOnly
      ? 'this device computes on the CPU, so speeds are left out.'
      : `the median of ${ROUNDS} rounds after a warm-up.`;
  },
};

async function openGpu() {
  const gpu = await requestGpu();
  if (!gpu) {
    throw new UserError(NO_ADAPTER);
  }
  return gpu;
}

/** Throws UserError where the page's address names something else. */
function oneOf<T extends string>(what: string, text: string, known: readonly T[]): T {
  return known.find((name) => name === text) ?? refuse(what, text, known.join(', '));
}

/** Throws UserError where the page's address gives something else. */
const memoryOf = (text: string | null): number | undefined =>
  text === null ? undefined : (readMemory(text) ?? refuse('memory', text, MEMORY_FORM));

function refuse(what: string, text: string, expected: string): never {
  throw new UserError(
    `The page's address: ${what} is "${text}", expected ${expected}; mend the address and load the page again.`,
  );
}

export type BenchApi = typeof api;
exposeApi(api);
