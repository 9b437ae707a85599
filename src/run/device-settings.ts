import type { Setting, Settings } from '../formats/setting.ts';
import { PRECISION_CHOICES } from './precision.ts';

/** What belongs to a device and not to the recipe: a field of the page, and an option of the command line. */
export type DeviceSetting = Setting & {
  /** The page's numbers count in this many bytes. */
  readonly unit?: number;
  /** What a sentence about it begins with, where that is not the label. */
  readonly subject?: string;
  /** The command line's option, and what its help says. */
  readonly flags: string;
  readonly help: string;
};

/** What a run may take of a device, and how it computes there: the one place that form, options and types come from. */
export const DEVICE_SETTINGS = {
  /** Bytes that the run may take of the GPU's memory; see chooseMemory for what counts without. */
  memory: {
    key: 'memory',
    kind: 'number',
    range: { above: 0 },
    unit: 2 ** 30,
    usual: undefined,
    label: 'GPU memory at most',
    subject: 'GPU memory',
    hint: 'GiB. More memory, less recomputation. Empty: automatic',
    flags: '--memory <amount>',
    help: 'GPU memory that the run may take, such as 4GB or 3500MiB: the more, the less of each layer is computed twice, and the larger are passes',
  },
  /** Leave about half of the GPU's time to other programs. */
  yieldGpu: {
    key: 'leaveRoom',
    kind: 'boolean',
    default: false,
    label: 'Leave GPU time to other programs',
    hint: 'About half of the GPU’s time; takes hold with the next start',
    flags: '--leave-room',
    help: "leave about half of the GPU's time to other programs",
  },
  /** The precision of new runs: a run keeps the one that it began in. */
  precision: {
    key: 'precision',
    kind: 'choice',
    choices: PRECISION_CHOICES,
    default: 'auto',
    label: 'Precision',
    hint: 'Of the large products; auto: the fastest that keeps the losses. A run stays with the one it began in',
    flags: '--precision <precision>',
    help: 'arithmetic of the large products: f32, f16 with sums in f32, or subgroup matrices; auto takes the fastest that keeps the losses. A run goes on in the one that it began in',
  },
} as const satisfies Readonly<Record<string, DeviceSetting>>;

export type DeviceKey = keyof typeof DEVICE_SETTINGS;
export type DeviceSettings = Settings<typeof DEVICE_SETTINGS>;
/** As an entry point gives them: with the default for what it leaves out. */
export type GivenDeviceSettings = { readonly [K in DeviceKey]?: DeviceSettings[K] | undefined };
