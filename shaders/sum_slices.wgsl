// y[i] = Σs partial[s, i], in the order of the slices.

struct Params { slices: u32, count4: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> partial: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= p.count4) { return; }
  var total = vec4f();
  for (var s = 0u; s < p.slices; s++) { total += partial[s * p.count4 + i]; }
  y[i] = total;
}
