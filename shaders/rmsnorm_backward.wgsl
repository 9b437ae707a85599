// dx[r, c] (+)= rstd·(weight[c]·dy[r, c] − x[r, c]·rstd²·mean(weight·dy·x)). One workgroup per row; the weight is
// frozen.
// requires: sum from shared/reduce_by_{subgroups,workgroup}.wgsl

struct Params { rows: u32, width4: u32, eps: f32, accumulate: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4f>;

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
  var sums = vec2f();
  for (var c = lane; c < p.width4; c += THREADS) {
    let v = x[begin + c];
    sums += vec2f(dot(v, v), dot(v, weight[c] * dy[begin + c]));
  }
  sums = sum(sums, lane) / f32(4u * p.width4);
  let rstd = 1.0 / sqrt(sums.x + p.eps);
  let pull = sums.y * rstd * rstd;
  for (var c = lane; c < p.width4; c += THREADS) {
    let at = begin + c;
    let grad = rstd * (weight[c] * dy[at] - x[at] * pull);
    if (p.accumulate != 0u) { dx[at] += grad; } else { dx[at] = grad; }
  }
}
