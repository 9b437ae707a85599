// Brings the codes of a pre-quantized bitsandbytes checkpoint into the layout of nf4_matmul. There: row-major, two
// codes a byte, the first in the high half. One thread moves 32 codes (16 bytes).
// Reference: bitsandbytes, csrc/kernels.cu.

struct Params { groups: u32, first_group: u32, out_features: u32, in_features: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> source: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> codes: array<vec4u>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= p.groups) { return; }
  let flat = (p.first_group + i) * 32u;
  let n = flat / p.in_features;
  let k = flat % p.in_features;
  let bytes = source[i];
  codes[(k / 32u) * p.out_features + n] =
    ((bytes & vec4u(0x0f0f0f0fu)) << vec4u(4u)) | ((bytes >> vec4u(4u)) & vec4u(0x0f0f0f0fu));
}
