import { type Precision, PRECISIONS } from '../gpu/kernels/linear/nf4-variant.ts';

/** A precision, or `auto`: the fastest of the device's that preserve the losses. */
export type PrecisionChoice = Precision | 'auto';
export const PRECISION_CHOICES = ['auto', ...PRECISIONS] as const satisfies readonly PrecisionChoice[];
