/** How 16- or 32-bit numbers lie in a checkpoint and in the embedding on the device. */
export type FloatFormat = 'bf16' | 'f16' | 'f32';

/** What the shaders' FORMAT constant says. */
export const FORMAT_CODE: Record<FloatFormat, number> = { bf16: 0, f16: 1, f32: 2 };
