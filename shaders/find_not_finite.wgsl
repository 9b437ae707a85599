// Finds the first of `words` words of floats that is NaN or infinite: all bits of its exponent are ones. Raises
// `found` to 2^32 - 1 - (place + its index), so that of several the first stays, and zero means that all are finite.
// A thread looks at 16 words.

struct Params { begin: u32, words: u32, place: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> found: atomic<u32>;

// How the source stores a value: 0 = bf16, 1 = f16, 2 = f32.
override FORMAT: u32 = 0u;

const THREADS = 256u;
const WORDS = 16u;

fn report(index: u32) { atomicMax(&found, ~(p.place + index)); }

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let begin = (group.x + group.y * groups.x) * (THREADS * WORDS) + lane;
  for (var i = 0u; i < WORDS; i++) {
    let at = begin + i * THREADS;
    if (at >= p.words) { return; }
    let word = source[p.begin + at];
    if (FORMAT == 2u) {
      if ((word & 0x7f800000u) == 0x7f800000u) {
        report(at);
        return;
      }
    } else {
      let exponent = select(0x7c00u, 0x7f80u, FORMAT == 0u);
      if ((word & exponent) == exponent) {
        report(2u * at);
        return;
      }
      if (((word >> 16u) & exponent) == exponent) {
        report(2u * at + 1u);
        return;
      }
    }
  }
}
