// Zeros over the whole of a buffer: each thread writes one vec4 of every stride.
struct Params { count4: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<vec4u>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < p.count4; i += groups.x * 256u) { y[i] = vec4u(); }
}
