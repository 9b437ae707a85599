// What the kernels for attention's gradients take: as attention does, and do; of each query's row in `stats`
// log-sum-exp and delta, Σ o·do.

// `parts`: shares of the query heads of a key head, `part_heads` in each. `tile`: the first of keys, or the last of
// queries.
struct Params { tokens: u32, heads: u32, kv_heads: u32, scale: f32, parts: u32, part_heads: u32, tile: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> k: array<vec4f>;
@group(0) @binding(3) var<storage, read> v: array<vec4f>;
@group(0) @binding(4) var<storage, read> dout: array<vec4f>;
@group(0) @binding(5) var<storage, read> stats: array<vec2f>;
@group(0) @binding(6) var<storage, read> ranges: array<vec2u>;
