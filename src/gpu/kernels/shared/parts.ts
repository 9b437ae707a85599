import type { ParamType } from '../../kernel.ts';

/** Parts of most dispatches, such as the LoRA factors of q, k and v, which share their input. */
export const PARTS = 3;

/** A kernel's parts, and the type of their values; see `KernelSpec`. */
export type PartsOf<Fields extends Readonly<Record<string, ParamType>>> = readonly Readonly<
  Record<keyof Fields, number>
>[];
