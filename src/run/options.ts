import type { Gpu } from '../gpu/device.ts';
import type { TuningCache } from '../gpu/autotune/tuning-results.ts';
import type { BaseCache } from '../model/base/cache/base-cache.ts';
import type { Moment } from '../text/moment.ts';
import type { RunEvent } from './events.ts';
import type { InputHashes, RunIdentity } from './checkpoint/identity.ts';
import type { PrecisionChoice } from './precision.ts';
import type { RunInputs } from './input/prepare.ts';
import type { ResumeMode } from './checkpoint/resume.ts';
import type { RunStore } from './checkpoint/store.ts';

/** What a door gives a fine-tuning to work with. */
export interface FinetuneOptions {
  inputs: RunInputs;
  store: RunStore;
  /** Where quantized bases are kept from one start to the next. */
  baseCache?: BaseCache | undefined;
  resume: ResumeMode;
  /** An earlier start has told `onIdentity` of this run: its hashes are to be compared before a device is opened. */
  startedBefore?: boolean | undefined;
  /** The start of the run for a chat template that writes the date, where no checkpoint says it yet; now unless told. */
  moment?: Moment | undefined;
  /** Bytes that the run may take on the device; see chooseMemory for what counts without. */
  memory?: number | undefined;
  /** The precision of a new run; the fastest that keeps the losses unless told. */
  precision?: PrecisionChoice | undefined;
  /** Where the device's fastest kernels are kept from one start to the next. */
  tuning?: TuningCache | undefined;
  /** Called once the inputs are sound: opening a device takes long and may fail. */
  openGpu: () => Promise<Gpu>;
  emit: (event: RunEvent) => void;
  /** Stops the run, in the middle of a pass too; the last whole step is kept in a checkpoint. */
  signal?: AbortSignal | undefined;
  /** Leave about half of the GPU's time to other programs. */
  yieldGpu?: boolean | undefined;
  /**
   * Awaited between passes, so that a door can hold the run for as long as it likes. Meanwhile `save`
   * may be called: it keeps a checkpoint of the last whole step, only until the next one where it is a `rescue`.
   */
  onPassEnd?: ((save: SaveNow) => Promise<void>) | undefined;
  /** Hears the hashes of the other inputs where the base's will come with its loading, which takes long. */
  onInputs?: ((hashes: InputHashes, maxSteps: number) => Promise<void>) | undefined;
  /**
   * Hears the hashes of the inputs before the first step; what it throws ends the call. Where there is nothing to
   * compare them with, a base that is not known yet is hashed while it is loaded, else before a device is opened.
   */
  onIdentity?: ((identity: RunIdentity, maxSteps: number) => Promise<void>) | undefined;
}

export type SaveNow = (rescue?: boolean) => Promise<void>;

/** How a run ended. `already finished`: the output was there before, made of the same inputs. */
export interface FinetuneResult {
  status: 'finished' | 'stopped' | 'already finished';
  step: number;
  maxSteps: number;
  /** The step that the result is of and its eval_loss, where the best one was taken and not the last. */
  best?: BestStep | undefined;
}

/** A step that was evaluated. */
export interface BestStep {
  step: number;
  evalLoss: number;
}
