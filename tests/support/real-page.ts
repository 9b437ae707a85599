import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { build } from 'vite';
import { builtOnce } from './built-once.ts';
import type { MemoryFiles } from './memory-folder.ts';
import { type CaseName, casePath } from './model-case.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
};

/** The page as a static host serves it: the built files and their _headers, under a subpath. */
export class StaticHost {
  /** The page's address, with a slash at its end. */
  readonly url: string;
  readonly folder: string;
  readonly #server: Server;

  private constructor(server: Server, url: string, folder: string) {
    this.#server = server;
    this.url = url;
    this.folder = folder;
  }

  /** `device`: the browser's, or one that computes next to nothing and starts at once (null-webgpu.mjs). */
  static async open(
    folder: string,
    { device = 'real' }: { device?: 'real' | 'null' } = {},
  ): Promise<StaticHost> {
    // Vitest's own NODE_ENV would make a development build, without its service worker.
    process.env.NODE_ENV = 'production';
    await builtOnce('page', folder, (outDir) => build({ logLevel: 'error', build: { outDir } }));
    if (device === 'null') {
      giveNullDevice(folder);
    }
    return StaticHost.of(folder, hostedHeaders(folder));
  }

  /** Of a folder that is built already, with these headers. */
  static async of(folder: string, headers: ReadonlyMap<string, string>): Promise<StaticHost> {
    const server = createServer((request, response) => serve(folder, headers, request.url!, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    return new StaticHost(server, `http://127.0.0.1:${port}${PLACE}`, folder);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** What a built folder's _headers tells a static host to send. */
export function hostedHeaders(folder: string): Map<string, string> {
  const lines = readFileSync(join(folder, '_headers'), 'utf8').split('\n').slice(1);
  return new Map(lines.filter(Boolean).map((line) => line.trim().split(/: (.*)/s) as [string, string]));
}

/** Lets the engine of a built page find the null device in navigator.gpu. */
export function giveNullDevice(folder: string): void {
  const device = readFileSync('tests/support/null-webgpu.mjs', 'utf8').replaceAll(/^export /gm, '');
  const given = `(() => { ${device}
    Object.defineProperty(navigator, 'gpu', { value: nullWebGpu() });
    globalThis.GPUBuffer = Buffer; })();\n`;
  const assets = join(folder, 'assets');
  for (const name of readdirSync(assets).filter((name) => /^host-.*\.js$/.test(name))) {
    writeFileSync(join(assets, name), given + readFileSync(join(assets, name), 'utf8'));
  }
}

/** Not the root: a page that depends on it would find nothing. */
const PLACE = '/tools/retune/';

function serve(
  folder: string,
  headers: ReadonlyMap<string, string>,
  path: string,
  response: ServerResponse,
): void {
  response.setHeaders(new Map(headers));
  const file = path.startsWith(PLACE) ? path.slice(PLACE.length).split('?')[0]! || 'index.html' : undefined;
  let content: Buffer | undefined;
  try {
    content = file === undefined ? undefined : readFileSync(join(folder, file));
  } catch {
    content = undefined;
  }
  const type = content ? TYPES[extname(file!)] : 'text/plain';
  response.setHeader('Content-Type', type ?? 'application/octet-stream');
  response.writeHead(content ? 200 : 404).end(content ?? 'There is no such file.');
}

/** What the user chooses, as the cards call it: folders by name, files by theirs. */
const CHOSEN = { train: 'train.jsonl', validation: 'val.jsonl', recipe: 'training_config.yaml' } as const;

/** Pickers that need no clicks: they return handles to the origin-private file system. */
export async function stubPickers(context: BrowserContext): Promise<void> {
  await context.addInitScript((chosen: Record<string, string>) => {
    const root = () => navigator.storage.getDirectory();
    Object.assign(globalThis, {
      showDirectoryPicker: async ({ id }: { id: string }) =>
        (await root()).getDirectoryHandle(id, { create: id === 'output' }),
      showOpenFilePicker: async ({ id }: { id: string }) => [await (await root()).getFileHandle(chosen[id]!)],
    });
  }, CHOSEN);
}

/** Puts a case's files where the stubbed pickers find them, some with another text, and chooses them. */
export async function pickCase(
  page: Page,
  name: CaseName,
  changes: Readonly<Record<string, string>> = {},
): Promise<void> {
  const read = (path: string) =>
    Buffer.from(changes[path] ?? readFileSync(casePath(name, path))).toString('base64');
  const inFolder = (folder: string, from: string) =>
    readdirSync(casePath(name, from)).map((file) => [`${folder}/${file}`, read(`${from}/${file}`)] as const);
  const files = [
    ...inFolder('base', 'base'),
    ...inFolder('source', 'v1'),
    ...Object.values(CHOSEN).map((file) => [file, read(file)] as const),
  ];
  await page.evaluate(async (files) => {
    for (const [path, base64] of files) {
      const parts = path.split('/');
      const file = parts.pop()!;
      let folder = await navigator.storage.getDirectory();
      for (const part of parts) {
        folder = await folder.getDirectoryHandle(part, { create: true });
      }
      const writable = await (await folder.getFileHandle(file, { create: true })).createWritable();
      await writable.write(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
      await writable.close();
    }
  }, files);
  for (const card of ['Base model', 'Adapter V1', 'New rows', 'Validation rows', 'Recipe']) {
    await page.getByRole('button', { name: new RegExp(`^Choose .*${card}$`) }).click();
  }
  await page.getByText('Ready to start').waitFor();
}

/** Chooses a case's files with the file inputs, as browsers without pickers do. */
export async function chooseCase(page: Page, name: CaseName): Promise<void> {
  await page.locator('[data-slot=base]').setInputFiles(casePath(name, 'base'));
  await page.locator('[data-slot=source]').setInputFiles(casePath(name, 'v1'));
  for (const slot of ['train', 'validation', 'recipe'] as const) {
    await page.locator(`[data-slot=${slot}]`).setInputFiles(casePath(name, CHOSEN[slot]));
  }
  await page.getByText('Ready to start').waitFor();
}

/** Saves the finished run with its checkpoints into a folder, and reads it. */
export async function savedFiles(page: Page): Promise<MemoryFiles> {
  await page.getByLabel('With the checkpoints').check();
  await page.getByRole('button', { name: 'Save into a folder' }).click();
  await page.getByText('V2 is in the folder output.').waitFor();
  const files = await page.evaluate(async () => {
    const found: [string, string][] = [];
    const read = async (folder: FileSystemDirectoryHandle, prefix: string): Promise<void> => {
      for await (const entry of folder.values()) {
        if (entry.kind === 'directory') {
          await read(entry, `${prefix}${entry.name}/`);
        } else {
          const bytes = new Uint8Array(await (await entry.getFile()).arrayBuffer());
          let binary = '';
          for (const byte of bytes) {
            binary += String.fromCharCode(byte);
          }
          found.push([prefix + entry.name, btoa(binary)]);
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

/** Waits until the page's run has done this many steps, by its title. */
export async function reachedStep(page: Page, step: number, of: number): Promise<void> {
  await page.waitForFunction(
    ([step, of]) =>
      Number(/(\d+)%/.exec(document.title)?.[1] ?? -1) >= Math.floor((100 * step!) / of!) &&
      document.title.includes('loss'),
    [step, of],
  );
}
