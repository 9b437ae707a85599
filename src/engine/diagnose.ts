import { version } from '../../package.json';
import { UserError } from '../formats/user-error.ts';
import { counted, showBytes } from '../formats/words.ts';
import type { Gpu } from '../gpu/device.ts';
import { systemOf } from '../gpu/unlocks.ts';
import { withDevice } from '../gpu/with-device.ts';
import { browserProblem, browserVersion, thisBrowser } from '../platform/browser.ts';
import { checkWebGpu, requestGpu, unsafeWebGpu } from '../platform/browser-gpu.ts';
import { runLockHeld } from '../platform/run-lock.ts';
import {
  browserGpuRemedies,
  diagnoseDevice,
  diagnoseMemory,
  type Finding,
  problemFinding,
} from '../run/diagnosis.ts';
import type { Here } from '../run/unlock-remedies.ts';
import type { StorageAccount, StorageItem } from './protocol/comparison.ts';

/** Storage that is left, in bytes, below which checkpoints and a cached base may not fit. */
const ENOUGH_STORAGE = 5e9;

const IN_USE = 'not measured while Retune is using the GPU';

/** What the diagnosis asks of the engine. */
export interface Parts {
  /** Whether the engine computes, so that the GPU's memory must be left to it. */
  busy: () => boolean;
  checkStorage: () => Promise<undefined>;
  account: () => Promise<StorageAccount>;
}

/** What this machine has and lacks, as the page sees it. */
export async function diagnose({ busy, checkStorage, account }: Parts): Promise<Finding[]> {
  const browser = thisBrowser();
  const { name, chrome } = browserVersion(browser);
  const unsafe = await unsafeWebGpu().catch(() => false);
  const here: Here = { door: 'browser', system: systemOf(browser.agent), chrome, unsafe };
  const problem = browserProblem(browser);
  return [
    { what: 'retune', found: version },
    {
      what: 'browser',
      found: `${name}${unsafe ? ', with --enable-unsafe-webgpu' : ''}`,
      remedies: problem === undefined ? [] : [problem.replace(/\.$/, '')],
    },
    {
      what: 'system',
      found: `${here.system ?? 'another than Windows, macOS and Linux'}, ${counted(navigator.hardwareConcurrency, 'thread')}`,
    },
    ...(await gpuFindings(here, busy)),
    ...(await storageFindings(checkStorage, account)),
  ];
}

async function gpuFindings(here: Here, busy: () => boolean): Promise<Finding[]> {
  const lost = (gpu: Gpu, why: string) => new UserError(`${gpu.name} was lost: ${why}; reload the page.`);
  const found: Finding[] = [];
  try {
    checkWebGpu();
    await withDevice(
      async () => {
        const gpu = await requestGpu();
        if (!gpu) {
          // What to do follows, for this system.
          throw new UserError('The browser found no GPU that it may use.');
        }
        return gpu;
      },
      lost,
      async (open) => {
        const gpu = await open();
        found.push(...diagnoseDevice(gpu, here));
        // Another tab that trains holds the lock; without locks none does.
        const inUse = busy() || (await runLockHeld().catch(() => false));
        found.push(inUse ? { what: 'free GPU memory', found: IN_USE } : await diagnoseMemory(gpu));
      },
    );
  } catch (error) {
    const more = found.length === 0 && 'gpu' in navigator ? browserGpuRemedies(here) : [];
    found.push(problemFinding(found.length === 0 ? 'GPU' : 'free GPU memory', error, more));
  }
  return found;
}

async function storageFindings(check: Parts['checkStorage'], account: Parts['account']): Promise<Finding[]> {
  try {
    await check();
  } catch (error) {
    if (!(error instanceof UserError)) {
      throw error;
    }
    return [problemFinding('storage', error)];
  }
  const { items, used, left, persisted } = await account();
  return [
    {
      what: 'storage',
      found: `${showBytes(used)} used, ${left === undefined ? 'the browser does not say how much is left' : `${showBytes(left)} left`}`,
      remedies:
        left !== undefined && left < ENOUGH_STORAGE
          ? [
              'make room on the disk, or delete what is not needed under Runs: checkpoints and a prepared base take some GB',
            ]
          : [],
    },
    { what: 'kept here', found: keptText(items) },
    {
      what: 'storage is cleared',
      found: persisted
        ? 'only by you: the browser has promised it'
        : 'by the browser, when the disk gets full',
      remedies:
        persisted || !items.some(({ kind }) => kind === 'run' || kind === 'test')
          ? []
          : ['open Runs and press "Ask the browser to keep everything"'],
    },
  ];
}

const NOUNS: readonly (readonly [StorageItem['kind'], string])[] = [
  ['run', 'run'],
  ['test', 'test'],
  ['base cache', 'prepared base'],
];

/** How many of each kind, without their names. */
function keptText(items: readonly StorageItem[]): string {
  const parts = NOUNS.map(([kind, noun]) => {
    const bytes = items.filter((item) => item.kind === kind).map((item) => item.bytes);
    const sum = bytes.reduce((a, b) => a + b, 0);
    return bytes.length > 0 ? `${counted(bytes.length, noun)} (${showBytes(sum)})` : counted(0, noun);
  });
  const page = items.some(({ kind }) => kind === 'app files');
  return [...parts, page ? 'the page itself, for use without a network' : 'not the page itself'].join(', ');
}
