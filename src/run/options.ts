import type { TuningCache } from '../gpu/autotune/tuning-results.ts';
import type { Gpu } from '../gpu/device.ts';
import type { BaseCache } from '../model/base/cache/base-cache.ts';
import type { Moment } from '../text/moment.ts';
import type { InputHashes, RunIdentity } from './checkpoint/identity.ts';
import type { ResumeMode } from './checkpoint/resume.ts';
import type { RunStore } from './checkpoint/store.ts';
import type { GivenDeviceSettings } from './device-settings.ts';
import type { RunEvent } from './events.ts';
import type { RunInputs } from './input/run-inputs.ts';

/** The options of a fine-tuning run. */
export interface FinetuneOptions extends GivenDeviceSettings {
  inputs: RunInputs;
  store: RunStore;
  /** The cache of quantized bases. */
  baseCache?: BaseCache | undefined;
  resume: ResumeMode;
  /** The start time of the run for a chat template that writes the date, unless a checkpoint has it; default: now. */
  moment?: Moment | undefined;
  /** The cache of the device's fastest kernels. */
  tuning?: TuningCache | undefined;
  /** Called once the inputs are sound, because opening a device is slow and may fail. */
  openGpu: () => Promise<Gpu>;
  emit: (event: RunEvent) => void;
  /** Stops the run, even in the middle of a pass; the last complete step is saved as a checkpoint. */
  signal?: AbortSignal | undefined;
  /**
   * Awaited after every pass; the run pauses until it resolves. Meanwhile `save` may be called: it saves a
   * checkpoint of the last complete step, which is kept only until the next one if it is a `rescue`.
   */
  onPassEnd?: ((save: SaveNow) => Promise<void>) | undefined;
  /**
   * Called with the hashes of the other inputs if the base's hash is only known after loading it, which takes long.
   */
  onInputs?: ((hashes: InputHashes, maxSteps: number) => Promise<void>) | undefined;
  /**
   * Called with the hashes of the inputs before the first step; if it throws, the call ends. A base that the cache does
   * not know is hashed while it is loaded or, where a run is finished, alone.
   */
  onIdentity?: ((identity: RunIdentity, maxSteps: number) => Promise<void>) | undefined;
}

export type SaveNow = (rescue?: boolean) => Promise<void>;

/** How a run ended. `already finished`: the output was already there, made from the same inputs. */
export interface FinetuneResult {
  status: 'finished' | 'stopped' | 'already finished';
  step: number;
  maxSteps: number;
  /** Step and eval_loss of the result, if it is the best checkpoint rather than the last. */
  best?: BestStep | undefined;
}

/** An evaluated step. */
export interface BestStep {
  step: number;
  evalLoss: number;
}
