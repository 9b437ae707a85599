import { PRECISIONS, type Precision } from '../gpu/kernels/linear/nf4-variant.ts';

/** A precision, or the fastest that the device has of those that keep the losses. */
export type PrecisionChoice = Precision | 'auto';
export const PRECISION_CHOICES = ['auto', ...PRECISIONS] as const satisfies readonly PrecisionChoice[];
