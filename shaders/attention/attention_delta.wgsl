// stats[row].y = Σ o·do over a head of a token: what the softmax's backward subtracts. 16 threads per row [token,
// head].
// Reference: T. Dao, "FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning",
// arXiv:2307.08691 (its D, the row sums of dO ∘ O, instead of stored probabilities).

struct Params { rows: u32 }

// head_dim / 4.
override HEAD4: u32;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> o: array<vec4f>;
@group(0) @binding(2) var<storage, read> dout: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> stats: array<f32>;

var<workgroup> partial: array<f32, 256>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (group.x + group.y * groups.x) * 16u + lane / 16u;
  var sum = 0.0;
  if (row < p.rows) {
    for (var c = lane % 16u; c < HEAD4; c += 16u) { sum += dot(o[row * HEAD4 + c], dout[row * HEAD4 + c]); }
  }
  partial[lane] = sum;
  workgroupBarrier();
  if (lane % 16u != 0u || row >= p.rows) { return; }
  for (var j = 1u; j < 16u; j++) { sum += partial[lane + j]; }
  stats[2u * row + 1u] = sum;
}
