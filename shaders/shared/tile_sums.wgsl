// Inside a function: the sums of a thread that makes up to 8 rows of two vec4, a0 … a7 and c0 … c7. They have names
// of their own, and all that is done to them is written out, since compilers may keep an array that is indexed by a
// loop in memory instead of registers.

var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f();
var a4 = vec4f(); var a5 = vec4f(); var a6 = vec4f(); var a7 = vec4f();
var c0 = vec4f(); var c1 = vec4f(); var c2 = vec4f(); var c3 = vec4f();
var c4 = vec4f(); var c5 = vec4f(); var c6 = vec4f(); var c7 = vec4f();
