// out[i] = Σs partial[s, i] in the order of the slices, for up to three sums in one dispatch: along z. The sums may
// go on from what is there.

struct Part { count: u32, slices: u32, partial_at: u32, out_at: u32 }

struct Params { parts: array<Part, 3>, accumulate: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let part = p.parts[group.z];
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= part.count) { return; }
  let at = part.out_at + i;
  var total = 0.0;
  if (p.accumulate != 0u) { total = out[at]; }
  for (var s = 0u; s < part.slices; s++) { total += partial[part.partial_at + s * part.count + i]; }
  out[at] = total;
}
