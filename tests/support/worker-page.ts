import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { build, type InlineConfig, preview, type PreviewServer } from 'vite';
import { wgsl } from '../../shaders/vite-plugin.ts';
import { findBrowser } from '../../src/cli/software-vulkan.ts';
import type { Answer } from '../../src/engine/protocol/protocol.ts';
import type { CardFacts } from '../../src/run/card-facts.ts';
import { guarded } from '../../src/serve/guard.ts';
import type {} from '../e2e/worker-page/main.ts';
import { BROWSER_ARGS } from './browser-args.ts';
import { builtOnce } from './built-once.ts';
import type { MemoryFiles } from './memory-folder.ts';
import { type CaseName, casePath } from './model-case.ts';
import { giveNullDevice } from './real-page.ts';
import { comparable } from './run-case.ts';

/** The engine's worker behind a page that only the tests have (tests/e2e/worker-page). */
export class WorkerPages {
  /** Uncaught errors of pages and workers. */
  readonly problems: string[] = [];
  readonly #server: PreviewServer;
  readonly #browser: Browser;

  private constructor(server: PreviewServer, browser: Browser) {
    this.#server = server;
    this.#browser = browser;
  }

  /** `device`: the browser's, or one that computes next to nothing and starts at once (null-webgpu.mjs). */
  static async open(
    outDir: string,
    { device = 'real' }: { device?: 'real' | 'null' } = {},
  ): Promise<WorkerPages> {
    const config = (outDir: string): InlineConfig => ({
      configFile: false,
      root: 'tests/e2e/worker-page',
      base: './',
      logLevel: 'error',
      worker: { format: 'es', plugins: () => [wgsl()] },
      plugins: [wgsl(), guarded()],
      build: { outDir, emptyOutDir: true, target: 'es2023' },
    });
    const folder = join(process.cwd(), outDir);
    await builtOnce('worker-page', folder, (outDir) => build(config(outDir)));
    if (device === 'null') {
      giveNullDevice(folder);
    }
    const server = await preview({ ...config(folder), preview: { port: 0, host: '127.0.0.1' } });
    const browser = await chromium.launch({ executablePath: findBrowser()!, args: BROWSER_ARGS });
    return new WorkerPages(server, browser);
  }

  /** A separate browser profile. */
  context(): Promise<BrowserContext> {
    return this.#browser.newContext();
  }

  /** Opens the page, with a case's files chosen. */
  async page(context: BrowserContext, files: CaseName, search = ''): Promise<Page> {
    const page = await this.emptyPage(context, search);
    await choose(page, files);
    return page;
  }

  async emptyPage(context: BrowserContext, search = ''): Promise<Page> {
    const page = await context.newPage();
    page.on('pageerror', (error) => this.problems.push(error.message));
    await page.goto(this.#server.resolvedUrls!.local[0]! + search);
    return page;
  }

  async crashGpu(): Promise<void> {
    const session = await this.#browser.newBrowserCDPSession();
    await session.send('Browser.crashGpuProcess').catch(() => undefined);
    await session.detach();
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await this.#server.close();
  }
}

/** Chooses a case's files in the page. */
export async function choose(page: Page, name: CaseName): Promise<void> {
  const inFolder = (folder: string) =>
    readdirSync(casePath(name, folder)).map((file) => casePath(name, `${folder}/${file}`));
  await page.setInputFiles('#base', inFolder('base'));
  await page.setInputFiles('#source', inFolder('v1'));
  await page.setInputFiles('#train', casePath(name, 'train.jsonl'));
  await page.setInputFiles('#validation', casePath(name, 'val.jsonl'));
  await page.setInputFiles('#recipe', casePath(name, 'training_config.yaml'));
}

/** What the engine answered, which must not be a refusal. */
export function value<T>(answer: Answer<T>): T {
  if (!answer.ok) {
    throw new Error(answer.sentence);
  }
  return answer.value;
}

/** A finished run's files, its checkpoints too, as the zip has them. */
export async function exported(page: Page, id: string): Promise<MemoryFiles> {
  const zip = await page.evaluate(async (id) => {
    const answer = await window.bench.engine.exportRun(id, true);
    if (!answer.ok) {
      throw new Error(answer.sentence);
    }
    return window.bench.base64(answer.value);
  }, id);
  return unzipSync(new Uint8Array(Buffer.from(zip, 'base64')));
}

/** The files of a folder within an export. */
export function inside(files: MemoryFiles, folder: string): MemoryFiles {
  const own = Object.entries(files).filter(([path]) => path.startsWith(`${folder}/`));
  return Object.fromEntries(own.map(([path, bytes]) => [path.slice(folder.length + 1), bytes]));
}

/** Waits for the run that the page has started last. */
export async function ended(page: Page) {
  const answer = await page.evaluate(() => window.bench.running!);
  if (!answer.ok) {
    throw new Error(answer.sentence);
  }
  return answer.value;
}

/** What must be equal for the same run wherever it ran: the names of the device and of files are left out. */
export function fingerprint(files: MemoryFiles): Record<string, unknown> {
  const { cursor, ...others } = comparable(files);
  const { plan, card, ...rest } = cursor as { plan: object; card?: CardFacts };
  const nameless = card && {
    ...card,
    source: undefined,
    train: { ...card.train, name: undefined },
    validation: card.validation && { ...card.validation, name: undefined },
  };
  return { ...others, cursor: { ...rest, card: nameless, plan: { ...plan, device: undefined } } };
}
