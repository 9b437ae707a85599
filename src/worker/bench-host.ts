import { expose } from 'comlink';
import { bench, SECTIONS } from '../bench/bench.ts';
import type { ModelName } from '../bench/models.ts';
import { reportJson, showSection } from '../bench/report.ts';
import { UserError } from '../formats/user-error.ts';
import { NO_ADAPTER, requestGpu } from '../platform/browser-gpu.ts';

/** The benchmark in a worker of its own. */
const api = {
  /** Hands over each table as soon as it is whole; resolves to the report as JSON. Throws where there is no GPU. */
  async measure(
    model: ModelName,
    onProgress: (text: string) => void,
    onTable: (title: string, cells: string[][], notes: string[]) => void,
  ): Promise<string> {
    const openGpu = async () => {
      const gpu = await requestGpu();
      if (!gpu) throw new UserError(NO_ADAPTER);
      return gpu;
    };
    const report = await bench({
      openGpu,
      models: [model],
      sections: SECTIONS,
      tokens: model === 'tiny' ? [64] : [128, 512, 1024, 2048],
      rounds: 5,
      force: false,
      onProgress,
      onSection: (section, countsOnly) =>
        onTable(section.title, showSection(section, countsOnly), section.notes),
    });
    return JSON.stringify(reportJson(report), null, 2);
  },
};

export type BenchApi = typeof api;
expose(api);
