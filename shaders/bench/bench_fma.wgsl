// The multiply-adds that a device does in a second: eight independent chains of vec4 a thread, nothing from memory.
struct Params {
  rounds: u32,
  a: f32,
  b: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let seed = vec4f(f32(id.x), f32(id.x) + 1.0, f32(id.x) + 2.0, f32(id.x) + 3.0) * 1e-6;
  let a = vec4f(p.a);
  let b = vec4f(p.b);
  var c0 = seed;
  var c1 = seed + 1.0;
  var c2 = seed + 2.0;
  var c3 = seed + 3.0;
  var c4 = seed + 4.0;
  var c5 = seed + 5.0;
  var c6 = seed + 6.0;
  var c7 = seed + 7.0;
  for (var i = 0u; i < p.rounds; i++) {
    c0 = fma(c0, a, b);
    c1 = fma(c1, a, b);
    c2 = fma(c2, a, b);
    c3 = fma(c3, a, b);
    c4 = fma(c4, a, b);
    c5 = fma(c5, a, b);
    c6 = fma(c6, a, b);
    c7 = fma(c7, a, b);
  }
  out[id.x] = ((c0 + c1) + (c2 + c3)) + ((c4 + c5) + (c6 + c7));
}
