// y[r, c] = x[r, c] · rstd[r] · weight[c], with rstd = 1/√(mean(x²) + eps). One workgroup per row.
// Reference: B. Zhang, R. Sennrich, "Root Mean Square Layer Normalization", arXiv:1910.07467.
// requires: sum from shared/reduce_by_{subgroups,workgroup}.wgsl

struct Params { rows: u32, width4: u32, eps: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

// Fewer for a narrow row.
override THREADS: u32 = 128u;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.x + group.y * groups.x;
  if (row >= p.rows) { return; }
  let begin = row * p.width4;
  var squares = 0.0;
  for (var c = lane; c < p.width4; c += THREADS) {
    let v = x[begin + c];
    squares += dot(v, v);
  }
  let rstd = 1.0 / sqrt(sum(vec2f(squares, 0.0), lane).x / f32(4u * p.width4) + p.eps);
  for (var c = lane; c < p.width4; c += THREADS) {
    y[begin + c] = x[begin + c] * rstd * weight[c];
  }
}
