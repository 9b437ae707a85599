// Inside a function: the sums of a thread that makes up to 8 rows of two vec4, a0 … a7 and c0 … c7. They and all that
// is done to them until they are stored are written out, here and in the subgroup-matrix kernels: Tint does not
// unroll loops, and an array that a loop indexes may land in memory instead of registers, every access clamped.
// References: AnswerDotAI/gpu.cpp#11 (unrolled, its tiled product is 2.7 times as fast on an M2 Pro);
// gpuweb/gpuweb#1202 (clamps of array indices).

var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f();
var a4 = vec4f(); var a5 = vec4f(); var a6 = vec4f(); var a7 = vec4f();
var c0 = vec4f(); var c1 = vec4f(); var c2 = vec4f(); var c3 = vec4f();
var c4 = vec4f(); var c5 = vec4f(); var c6 = vec4f(); var c7 = vec4f();
