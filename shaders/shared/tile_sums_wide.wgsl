// Inside a function: what tile_sums leaves out of a thread that makes rows of four vec4.

var d0 = vec4f(); var d1 = vec4f(); var d2 = vec4f(); var d3 = vec4f();
var d4 = vec4f(); var d5 = vec4f(); var d6 = vec4f(); var d7 = vec4f();
var e0 = vec4f(); var e1 = vec4f(); var e2 = vec4f(); var e3 = vec4f();
var e4 = vec4f(); var e5 = vec4f(); var e6 = vec4f(); var e7 = vec4f();
