// out[r] = the index of the largest logit of row r, the lowest index on ties. One workgroup per row.

struct Params { rows: u32, vocab: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

const THREADS = 256u;
var<workgroup> values: array<f32, THREADS>;
var<workgroup> indices: array<u32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.x + group.y * groups.x;
  if (row >= p.rows) { return; }
  let begin = row * p.vocab;
  // A thread past the end of a short row repeats its last logit, which changes nothing.
  var index = min(lane, p.vocab - 1u);
  var value = logits[begin + index];
  for (var c = lane + THREADS; c < p.vocab; c += THREADS) {
    let other = logits[begin + c];
    if (other > value) {
      value = other;
      index = c;
    }
  }
  values[lane] = value;
  indices[lane] = index;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      let other = values[lane + half];
      let at = indices[lane + half];
      if (other > values[lane] || (other == values[lane] && at < indices[lane])) {
        values[lane] = other;
        indices[lane] = at;
      }
    }
  }
  if (lane == 0u) { out[row] = indices[0]; }
}
