// Stands in for `enable f16` and for subgroup matrices on a device that has neither, so that the kernels' own logic runs
// there: halves are floats, and every invocation holds each matrix whole.

alias f16 = f32;
