import { execFile } from 'node:child_process';
import { readdir, statfs } from 'node:fs/promises';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { UserError } from '../../formats/user-error.ts';
import { counted, showBytes } from '../../formats/words.ts';
import type { Gpu } from '../../gpu/device.ts';
import { freeMemory } from '../../gpu/free-memory.ts';
import { diagnoseDevice, type Finding } from '../../run/diagnosis.ts';
import { DEFAULT_BUDGET_BYTES } from '../../run/plan/memory-choice.ts';
import { FolderCacheStorage } from '../base-cache.ts';
import { hostFacts } from '../bench-facts.ts';
import { defaultCacheFolder } from '../cache-folder.ts';
import { openDisplay } from '../display.ts';
import { nearestFolder } from '../durable-files.ts';
import { hubCacheFolder } from '../hub-cache.ts';
import { openNodeGpu } from '../node-gpu.ts';
import { ownVersion } from '../package-root.ts';
import { findBrowser, findSoftwareVulkan } from '../software-vulkan.ts';

/** More than any run takes of a GPU's memory. */
const MOST_MEMORY = 16 * 2 ** 30;
/** Free disk space of a folder that a run writes to: checkpoints and a cached base. */
const ENOUGH_DISK = 5e9;
const BROWSER_MS = 5000;
/** Characters of what a browser says of its version that are looked at. */
const MAX_VERSION = 200;

/** `retune doctor`: what this machine has and what it lacks. */
export function doctorCommand(program: Command): void {
  program
    .command('doctor')
    .summary('what this machine has and lacks')
    .description(
      'Checks the GPU, its driver and memory, the precisions that it runs, disks, browsers and caches. Each line is fine or says what to do. Nothing is downloaded. No path and no name of yours is printed, so that the text can go into a bug report.',
    )
    .action(runDoctor);
}

async function runDoctor(): Promise<void> {
  const display = openDisplay();
  const tell = ({ what, found, remedy }: Finding): void => {
    display.line(`${remedy === undefined ? '  ok' : 'look'}  ${what}: ${found}`);
    if (remedy !== undefined) {
      display.line(`      → ${remedy}`);
    }
  };
  const { os, cpu, node, dawn } = hostFacts();
  const retune = (await ownVersion()) ?? 'a single file';
  for (const [what, found] of Object.entries({ retune, os, cpu, node, dawn })) {
    tell({ what, found: String(found) });
  }
  for (const finding of [...(await gpuFindings()), ...(await diskFindings()), ...(await otherFindings())]) {
    tell(finding);
  }
}

async function gpuFindings(): Promise<Finding[]> {
  let gpu: Gpu;
  try {
    gpu = await openNodeGpu();
  } catch (error) {
    if (error instanceof UserError) {
      const [found, remedy] = [error.what, error.message.slice(error.what.length + 2).replace(/\.$/, '')];
      return [{ what: 'GPU', found: found.replace(/^No GPU: /, 'none: '), remedy }];
    }
    throw error;
  }
  try {
    return [...diagnoseDevice(gpu), await memoryFinding(gpu)];
  } finally {
    gpu.close();
  }
}

async function memoryFinding(gpu: Gpu): Promise<Finding> {
  if (gpu.software) {
    return { what: 'free GPU memory', found: "the machine's own memory" };
  }
  const bytes = await freeMemory(gpu, { most: MOST_MEMORY, ofHost: DEFAULT_BUDGET_BYTES }, () => undefined);
  return {
    what: 'free GPU memory',
    found: bytes >= MOST_MEMORY ? `${showBytes(bytes)} or more` : showBytes(bytes),
    ...(bytes < DEFAULT_BUDGET_BYTES && {
      remedy: 'close other programs that use the GPU; "retune plan" says what a run takes',
    }),
  };
}

async function diskFindings(): Promise<Finding[]> {
  const cache = defaultCacheFolder();
  const places: [string, string | undefined][] = [
    ['disk of this folder', process.cwd()],
    ['disk of the cache', cache],
  ];
  return Promise.all(
    places.map(async ([what, folder]): Promise<Finding> => {
      if (folder === undefined) {
        return { what, found: 'no home folder', remedy: 'name a place for the cache in --base-cache' };
      }
      const { bavail, bsize } = await statfs(await nearestFolder(folder));
      const free = bavail * bsize;
      return {
        what,
        found: `${showBytes(free)} free`,
        ...(free < ENOUGH_DISK && { remedy: 'make room: a cached base and checkpoints take some GB' }),
      };
    }),
  );
}

async function otherFindings(): Promise<Finding[]> {
  const browser = findBrowser();
  const cache = defaultCacheFolder();
  const bases = cache === undefined ? [] : await new FolderCacheStorage(cache).entries().catch(() => []);
  const models = (await readdir(hubCacheFolder()).catch(() => [])).filter((n) => n.startsWith('models--'));
  return [
    browser === undefined
      ? {
          what: 'browser',
          found: 'none at the usual places',
          remedy: 'install Chrome, Edge or Chromium for the page, or name it in CHROME_PATH',
        }
      : { what: 'browser', found: await browserVersion(browser) },
    { what: 'software device', found: findSoftwareVulkan() === undefined ? 'none' : 'found' },
    { what: 'cached bases', found: counted(bases.length, 'base') },
    { what: "Hugging Face's cache", found: counted(models.length, 'model') },
  ];
}

/** Its own words, such as "Chromium 156.0.8078.108"; a program of another name on Windows would open a window. */
async function browserVersion(path: string): Promise<string> {
  if (process.platform === 'win32') {
    return basename(path);
  }
  const run = promisify(execFile)(path, ['--version'], { timeout: BROWSER_MS });
  const { stdout } = await run.catch(() => ({ stdout: '' }));
  return (
    /^[\w ]*\d+(\.\d+)+/.exec(stdout.slice(0, MAX_VERSION))?.[0] ?? 'found, but it does not tell its version'
  );
}
