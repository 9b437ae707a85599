import { PRECISIONS, type Precision } from '../gpu/kernels/linear/nf4-variant.ts';

/** A rung of arithmetic, or the fastest that the device has of those that keep the losses. */
export type PrecisionChoice = Precision | 'auto';
export const PRECISION_CHOICES = ['auto', ...PRECISIONS] as const satisfies readonly PrecisionChoice[];
