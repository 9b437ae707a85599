// All that the backward pass makes of the columns of gate and up, in one reading of them. Given dout, the gradient
// of x = silu(gate)·up [T, w], each takes the place of its own gradient; and of LoRA's pairs: dA [r, w] += vᵀ·x of
// the one that reads x, dB [w, r] += dgateᵀ·u, dupᵀ·u of those that made gate and up. Dropout may mask x for dA.
// The tokens are cut into slices, each with a sum of its own, which are added in their order.
// One workgroup per 32 w, with up to 32 ranks of each pair. Its 64 · GROUPS threads take GROUPS slices at once, 4 × 4
// of each product a thread, in chunks of 8 tokens; the next chunk is on its way while one is multiplied.
// References: N. Shazeer, "GLU Variants Improve Transformer", arXiv:2002.05202; E. J. Hu et al., "LoRA: Low-Rank
// Adaptation of Large Language Models", arXiv:2106.09685.
// requires: gate_up from lora/gradient_gate_up_by_{floats,halves}.wgsl

// A rank of 0: no such pair.
struct Part {
  rank: u32,
  // Where the part begins in u (the first: in v), and in `out`.
  narrow_at: u32, out_at: u32,
  // The first's: x is masked for no other.
  module_key: u32,
}

// The parts: dA of the pair that reads x, dB of gate's and of up's.
struct Params {
  parts: array<Part, 3>,
  width: u32, tokens: u32, slice_tokens: u32,
  threshold: u32, scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> gate: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> up: array<vec4f>;
@group(0) @binding(3) var<storage, read> dout: array<vec4f>;
@group(0) @binding(4) var<storage, read> u: array<f32>;
@group(0) @binding(5) var<storage, read> v: array<f32>;
@group(0) @binding(6) var<storage, read> token_keys: array<vec2u>;
@group(0) @binding(7) var<storage, read_write> out: array<f32>;

override GROUPS: u32 = 2u;
override DROPOUT: bool = false;

const LANES = 64u;
const TILE = 32u;
const CHUNK = 8u;
// vec4 of a chunk of one operand, of which a group has six: a thread brings one of each.
const OPERAND4 = CHUNK * TILE / 4u;
const GROUP4 = 6u * OPERAND4;

var<workgroup> tile: array<vec4f, GROUP4 * GROUPS>;

#include "shared/silu.wgsl"
#include "shared/gated_gradient.wgsl"

fn narrow_at(part: u32, row: u32, r: u32) -> f32 {
  if (r >= p.parts[part].rank) { return 0.0; }
  if (part == 0u) { return v[row + r]; }
  return u[row + r];
}

// u or v, [t, r … r + 3]
fn narrow4_at(part: u32, t: u32, r: u32) -> vec4f {
  let row = p.parts[part].narrow_at + t * p.parts[part].rank;
  return vec4f(
    narrow_at(part, row, r), narrow_at(part, row, r + 1u),
    narrow_at(part, row, r + 2u), narrow_at(part, row, r + 3u),
  );
}

// Leaves a group's sums of one product, and adds those of all groups in their order to `total`.
fn add_slices(total: ptr<function, array<vec4f, 4>>, base: u32, thread: u32, c: array<vec4f, 4>) {
  let lane = thread % LANES;
  workgroupBarrier();
  tile[base + lane] = c[0];
  tile[base + LANES + lane] = c[1];
  tile[base + 2u * LANES + lane] = c[2];
  tile[base + 3u * LANES + lane] = c[3];
  workgroupBarrier();
  for (var j = 0u; j < 4u / GROUPS; j++) {
    for (var g = 0u; g < GROUPS; g++) { (*total)[j] += tile[g * GROUP4 + j * LANES * GROUPS + thread]; }
  }
}

// Where the gradient of column w and rank r lies.
fn place(part: u32, w: u32, r: u32) -> u32 {
  return p.parts[part].out_at + select(w * p.parts[part].rank + r, r * p.width + w, part == 0u);
}

// Adds the sums that `add_slices` left a thread with to the gradient. That is read before anything is written, from
// the nearest places in range: beside each store, it would wait on its own.
fn store(part: u32, first_w: u32, thread: u32, sums: array<vec4f, 4>) {
  let rank = p.parts[part].rank;
  if (rank == 0u) { return; }
  var total = sums;
  for (var j = 0u; j < 4u / GROUPS; j++) {
    let w = min(first_w + column_of(j, thread), p.width - 1u);
    for (var i = 0u; i < 4u; i++) { total[j][i] += out[place(part, w, min(4u * (thread % 8u) + i, rank - 1u))]; }
  }
  for (var j = 0u; j < 4u / GROUPS; j++) {
    let w = first_w + column_of(j, thread);
    for (var i = 0u; i < 4u; i++) {
      let r = 4u * (thread % 8u) + i;
      if (w < p.width && r < rank) { out[place(part, w, r)] = total[j][i]; }
    }
  }
}

// The column of a group's tile whose sums these are: four ranks, from 4 · (thread % 8) on.
fn column_of(j: u32, thread: u32) -> u32 {
  let sum = j * LANES * GROUPS + thread;
  return 4u * ((sum % LANES) / 8u) + sum / LANES;
}

@compute @workgroup_size(LANES * GROUPS)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first_w = workgroup.x * TILE;
  let slices = (p.tokens + p.slice_tokens - 1u) / p.slice_tokens;
  // The same for all groups: those behind the last token read zeros.
  let chunks = (min(p.slice_tokens, p.tokens) + CHUNK - 1u) / CHUNK;

  let lane = thread % LANES;
  let group = thread / LANES;
  let base = group * GROUP4;
  // What a thread brings of each chunk: a quad of w and one of ranks, of one token.
  let tx = lane % 8u;
  let ty = lane / 8u;
  let w = first_w + 4u * tx;
  let r = 4u * tx;

  var total_a: array<vec4f, 4>;
  var total_g: array<vec4f, 4>;
  var total_u: array<vec4f, 4>;
  for (var first = 0u; first < slices; first += GROUPS) {
    let begin = (first + group) * p.slice_tokens;
    let end = min(begin + p.slice_tokens, p.tokens);
    var b0 = vec4f(); var b1 = vec4f(); var b2 = vec4f();
    var b3 = vec4f(); var b4 = vec4f(); var b5 = vec4f();
    // A thread makes the w quad ty of the rank quad tx of each product.
    var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f();
    var g0 = vec4f(); var g1 = vec4f(); var g2 = vec4f(); var g3 = vec4f();
    var u0 = vec4f(); var u1 = vec4f(); var u2 = vec4f(); var u3 = vec4f();
    for (var chunk = 0u; chunk <= chunks; chunk++) {
      let t = begin + chunk * CHUNK + ty;
      let i = (t * p.width + w) / 4u;
      let inside = chunk < chunks && t < end && w < p.width;
      // The next chunk sets out …
      b0 = vec4f(); b1 = vec4f(); b2 = vec4f(); b3 = vec4f(); b4 = vec4f(); b5 = vec4f();
      if (inside) {
        let pair = gate_up(i);
        b0 = pair.gate;
        b1 = pair.up;
        b2 = dout[i];
      }
      if (chunk < chunks && t < end) {
        b3 = narrow4_at(0u, t, r);
        b4 = narrow4_at(1u, t, r);
        b5 = narrow4_at(2u, t, r);
      }
      // … the one that lies in workgroup memory is used up …
      if (chunk > 0u) {
        for (var k = 0u; k < CHUNK; k++) {
          let wide = base + 8u * k + ty;
          let narrow = base + 3u * OPERAND4 + 8u * k + tx;
          let a = tile[wide]; let na = tile[narrow];
          a0 += a.x * na; a1 += a.y * na; a2 += a.z * na; a3 += a.w * na;
          let g = tile[wide + OPERAND4]; let ng = tile[narrow + OPERAND4];
          g0 += g.x * ng; g1 += g.y * ng; g2 += g.z * ng; g3 += g.w * ng;
          let u = tile[wide + 2u * OPERAND4]; let nu = tile[narrow + 2u * OPERAND4];
          u0 += u.x * nu; u1 += u.y * nu; u2 += u.z * nu; u3 += u.w * nu;
        }
      }
      // … and the next takes its place.
      workgroupBarrier();
      if (chunk < chunks) {
        var x = silu(b0) * b1;
        if (DROPOUT && inside) { x = dropped(x, t, w, p.parts[0].module_key); }
        let d = gated_gradient(b0, b1, b2);
        if (inside) {
          gate[i] = d.gate;
          up[i] = d.up;
        }
        let at = base + lane;
        tile[at] = x;
        tile[at + OPERAND4] = d.gate;
        tile[at + 2u * OPERAND4] = d.up;
        tile[at + 3u * OPERAND4] = b3;
        tile[at + 4u * OPERAND4] = b4;
        tile[at + 5u * OPERAND4] = b5;
        workgroupBarrier();
      }
    }
    add_slices(&total_a, base, thread, array(a0, a1, a2, a3));
    add_slices(&total_g, base, thread, array(g0, g1, g2, g3));
    add_slices(&total_u, base, thread, array(u0, u1, u2, u3));
    // Before the next slices take their place.
    workgroupBarrier();
  }
  store(0u, first_w, thread, total_a);
  store(1u, first_w, thread, total_g);
  store(2u, first_w, thread, total_u);
}

#include "lora/dropout.wgsl"
