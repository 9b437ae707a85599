// The gradients of silu(gate)·up, in place: gate ← dout·up·σ(g)·(1 + g·(1 − σ(g))), up ← dout·g·σ(g). Four values a
// thread.

struct Params { n4: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> gate: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> up: array<vec4f>;
@group(0) @binding(3) var<storage, read> dout: array<vec4f>;

const THREADS = 256u;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * THREADS + lane;
  if (i >= p.n4) { return; }
  let g = gate[i];
  // σ and 1 − σ each from e^−|g|: no overflow, and no cancellation in 1 − σ.
  let e = exp(-abs(g));
  let positive = g >= vec4f();
  let sigmoid = select(e, vec4f(1.0), positive) / (1.0 + e);
  let rest = select(vec4f(1.0), e, positive) / (1.0 + e);
  let d = dout[i] * sigmoid;
  gate[i] = d * up[i] * (1.0 + g * rest);
  up[i] = d * g;
}
