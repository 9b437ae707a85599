/** How 16- or 32-bit numbers are stored in a checkpoint, and in the embedding on the device. */
export type FloatFormat = 'bf16' | 'f16' | 'f32';

/** Values of the shaders' FORMAT constant. */
export const FORMAT_CODE: Record<FloatFormat, number> = { bf16: 0, f16: 1, f32: 2 };
