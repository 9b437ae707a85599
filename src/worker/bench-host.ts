import { expose } from 'comlink';
import { bench, SECTIONS } from '../bench/bench.ts';
import { MODELS, type ModelName } from '../bench/models.ts';
import { reportJson, showSection } from '../bench/report.ts';
import { UserError } from '../formats/user-error.ts';
import { NO_ADAPTER, requestGpu } from '../platform/browser-gpu.ts';
import { PRECISION_CHOICES, type PrecisionChoice } from '../run/precision.ts';

/** What to measure, as the page's address says it: a model and rungs, none for all. */
interface BenchChoice {
  model: string;
  precisions: readonly string[];
  /** The address, for the report. */
  address: string;
}

/** The benchmark in a worker of its own. */
const api = {
  /** Hands over each table as soon as it is whole, and the report so far as JSON. Throws UserError. */
  async measure(
    choice: BenchChoice,
    onProgress: (text: string) => void,
    onTable: (title: string, cells: string[][], notes: string[]) => void,
    onNote: (text: string) => void,
    onReport: (json: string) => void,
  ): Promise<void> {
    await bench({
      openGpu,
      models: [oneOf('model', choice.model, MODELS)],
      sections: SECTIONS,
      precisions:
        choice.precisions.length > 0
          ? choice.precisions.map((text) => oneOf('precision', text, PRECISION_CHOICES))
          : undefined,
      rounds: 5,
      force: false,
      facts: {
        date: new Date().toISOString(),
        command: choice.address,
        browser: navigator.userAgent,
      },
      onProgress,
      onSection: (section, countsOnly) =>
        onTable(section.title, showSection(section, countsOnly), section.notes),
      onNote,
      onReport: (report) => Promise.resolve(onReport(JSON.stringify(reportJson(report), null, 2))),
    });
  },
};

async function openGpu() {
  const gpu = await requestGpu();
  if (!gpu) throw new UserError(NO_ADAPTER);
  return gpu;
}

/** Throws UserError where the page's address names something else. */
function oneOf<T extends ModelName | PrecisionChoice>(what: string, text: string, known: readonly T[]): T {
  const found = known.find((name) => name === text);
  if (found) return found;
  throw new UserError(
    `The page's address: ${what} is "${text}", expected ${known.join(', ')}; mend the address and load the page again.`,
  );
}

export type BenchApi = typeof api;
expose(api);
