import { type Locked, type Unlock, unlocksFor, type Where } from '../gpu/unlocks.ts';

/** Where WebGPU comes from here, and what is known of it. */
export interface Here extends Omit<Where, 'system' | 'vendor' | 'features'> {
  /** Undefined for a system that the table of unlocks does not know. */
  readonly system: Where['system'] | undefined;
  /** The browser's major version, where it tells one. */
  readonly chrome?: number | undefined;
  /** Whether the browser runs with --enable-unsafe-webgpu. */
  readonly unsafe?: boolean | undefined;
}

const MAKERS: Readonly<Record<string, string>> = { amd: 'AMD', intel: 'Intel', nvidia: 'NVIDIA' };

const SETTING_CAUTION =
  "the setting lowers the browser's guard on every site: set it back to Default when you do not train";
const SWITCH_CAUTION =
  'switches take effect only if no window of the browser is open yet; they lower its guard on every site, so do not browse the web with them';

/**
 * What to do to get these features of a device, one remedy a feature that this system hides; or, without a device, to
 * get one. Empty where nothing is known to help.
 */
export function unlockRemedies(
  here: Here,
  device?: Required<Pick<Where, 'vendor' | 'features'>>,
  wanted?: readonly Locked[],
): string[] {
  const { door, system } = here;
  if (system === undefined) {
    return [];
  }
  const unlocks = unlocksFor({ door, system, ...device }).filter(
    // A flag that is set already hides nothing.
    ({ feature, flags }) =>
      (wanted?.includes(feature) ?? true) && !(here.unsafe && flags?.join() === '--enable-unsafe-webgpu'),
  );
  const remedies = unlocks.map((unlock) => {
    const gain = unlock.feature === 'webgpu' ? '' : ` (for ${unlock.gain})`;
    const maker = device ? '' : `${unlock.vendors?.map((name) => MAKERS[name] ?? name).join(' or ')} GPU: `;
    return `${maker}${remedyOf(unlock, here)}${gain}`;
  });
  const unsafe = unlocks.filter((unlock) => unlock.unsafe);
  return [
    ...remedies,
    ...(unsafe.some(isSetting) ? [SETTING_CAUTION] : []),
    ...(unsafe.some((unlock) => !isSetting(unlock)) ? [SWITCH_CAUTION] : []),
  ];
}

/** Whether a page of the browser turns it on, so that no switches are needed. */
const isSetting = ({ how }: Unlock): boolean => how?.includes('chrome://flags') ?? false;

function remedyOf(unlock: Unlock, here: Here): string {
  const { door, chrome, how, flags = [] } = unlock;
  const old = chrome !== undefined && !(here.chrome !== undefined && here.chrome >= chrome);
  const steps = [old ? `update Chrome to version ${chrome} or newer` : undefined, how];
  const todo = steps.filter((step) => step !== undefined).join(' and ');
  if (door === 'node' || flags.length === 0 || isSetting(unlock)) {
    return todo;
  }
  const start = `start Chrome with ${flags.join(' ')}`;
  return todo ? `${todo}, or ${start}` : start;
}
