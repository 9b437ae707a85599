import { readdir, statfs } from 'node:fs/promises';
import { arch, cpus, release, type } from 'node:os';
import type { Command } from 'commander';
import { counted, showBytes } from '../../formats/words.ts';
import type { Gpu } from '../../gpu/device.ts';
import { systemOf } from '../../gpu/unlocks.ts';
import {
  diagnoseDevice,
  diagnoseMemory,
  type Finding,
  findingLines,
  problemFinding,
} from '../../run/diagnosis.ts';
import { FolderCacheStorage } from '../base-cache.ts';
import { foundBrowsers } from '../browsers.ts';
import { defaultCacheFolder } from '../cache-folder.ts';
import { openDisplay } from '../display.ts';
import { nearestFolder } from '../durable-files.ts';
import { hubCacheFolder } from '../hub-cache.ts';
import { openNodeGpu } from '../node-gpu.ts';
import { ownVersion } from '../package-root.ts';
import { findSoftwareVulkan } from '../software-vulkan.ts';
import { webgpuVersion } from '../webgpu-version.ts';

/** Free disk space of a folder that a run writes to: checkpoints and a cached base. */
const ENOUGH_DISK = 5e9;

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
  for (const part of [programFindings, gpuFindings, diskFindings, browserFindings, otherFindings]) {
    for (const line of (await part()).flatMap(findingLines)) {
      display.line(line);
    }
  }
}

async function programFindings(): Promise<Finding[]> {
  return [
    { what: 'retune', found: (await ownVersion()) ?? 'a single file' },
    { what: 'system', found: `${type()} ${release()} ${arch()}` },
    { what: 'cpu', found: `${cpus()[0]?.model ?? 'unknown'}, ${counted(cpus().length, 'thread')}` },
    { what: 'node', found: process.version },
    { what: 'dawn', found: webgpuVersion() },
  ];
}

async function gpuFindings(): Promise<Finding[]> {
  const found: Finding[] = [];
  let gpu: Gpu | undefined;
  try {
    gpu = await openNodeGpu();
    found.push(...diagnoseDevice(gpu, { door: 'node', system: systemOf(process.platform) }));
    found.push(await diagnoseMemory(gpu));
  } catch (error) {
    const what = gpu ? 'free GPU memory' : 'GPU';
    found.push(problemFinding(what, error));
  } finally {
    gpu?.close();
  }
  return found;
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
        return { what, found: 'no home folder', remedies: ['name a place for the cache in --base-cache'] };
      }
      const { bavail, bsize } = await statfs(await nearestFolder(folder));
      const free = bavail * bsize;
      return {
        what,
        found: `${showBytes(free)} free`,
        remedies: free < ENOUGH_DISK ? ['make room: a cached base and checkpoints take some GB'] : [],
      };
    }),
  );
}

async function browserFindings(): Promise<Finding[]> {
  const browsers = await foundBrowsers();
  if (browsers.length > 0) {
    return [{ what: browsers.length === 1 ? 'browser' : 'browsers', found: browsers.join(', ') }];
  }
  const remedies = ['install Chrome, Edge or Chromium for the page, or name it in CHROME_PATH'];
  return [{ what: 'browser', found: 'none at the usual places', remedies }];
}

async function otherFindings(): Promise<Finding[]> {
  const cache = defaultCacheFolder();
  const bases = cache === undefined ? [] : await new FolderCacheStorage(cache).entries().catch(() => []);
  const models = (await readdir(hubCacheFolder()).catch(() => [])).filter((n) => n.startsWith('models--'));
  return [
    { what: 'software device', found: findSoftwareVulkan() === undefined ? 'none' : 'found' },
    { what: 'cached bases', found: counted(bases.length, 'base') },
    { what: "Hugging Face's cache", found: counted(models.length, 'model') },
  ];
}
