// What attention's gradients on packed operands share: their parameters and the units of ds.
// requires: HEAD_DIM

struct Params {
  tokens: u32, heads: u32, kv_heads: u32, scale: f32,
  // Shares of a key head's queries; the first tile of keys, or the last of queries; the first key head.
  parts: u32, tile: u32, first: u32,
  // Blocks of a key head's queries and of its keys, and where the tiles begin; q's begin with all of them.
  q_blocks: u32, k_blocks: u32, do_at: u32, k_at: u32, v_at: u32,
  // Where those for sums over rows do.
  q_columns: u32, do_columns: u32, k_columns: u32,
  // Where the scales begin; q's are the first.
  do_scales: u32, k_scales: u32, v_scales: u32,
}

const LOG2_E = 1.4426950408889634;
// Larger than any |do·v| of blocks whose largest elements are 2¹⁰.
const BOUND = f32(HEAD_DIM) * 1048576.0;
// ds becomes f16 in units of which its bound is at most 2¹⁴, itself twice that; new units leave room for larger ones.
const MAX_DS = 16384.0;

// 2^(⌊log2 x⌋ - by), far from both ends of the exponents so that its inverse is normal too; x is not negative.
fn power_below(x: f32, by: u32) -> f32 {
  return bitcast<f32>((clamp(bitcast<u32>(x) >> 23u, 32u, 232u) - by) << 23u);
}
