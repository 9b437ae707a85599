// What attention's kernels take: q [tokens, heads, head_dim], k and v [tokens, kv_heads, head_dim], of each token the
// begin and the end of its document, and where log-sum-exp goes, [tokens, heads, 2].
// Reference: WGSL, https://www.w3.org/TR/WGSL/#floating-point-evaluation: compilers may assume that there are no
// infinities and NaNs; isNan was removed for that (gpuweb/gpuweb#2311).

// `last_tile`: the last of the dispatch's tiles of queries.
struct Params { tokens: u32, heads: u32, kv_heads: u32, scale: f32, last_tile: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> k: array<vec4f>;
@group(0) @binding(3) var<storage, read> v: array<vec4f>;
@group(0) @binding(4) var<storage, read> ranges: array<vec2u>;
@group(0) @binding(6) var<storage, read_write> stats: array<f32>;

// Below any score; finite, since WGSL promises nothing about infinities.
const LOWEST = -1e30;
