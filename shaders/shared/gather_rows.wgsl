// y[i] = x[index[i]], rows of width4 vec4. A vec4 a thread.

struct Params { count: u32, width4: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> index: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

const THREADS = 256u;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * THREADS + lane;
  let row = i / p.width4;
  if (row >= p.count) { return; }
  y[i] = x[index[row] * p.width4 + i % p.width4];
}
