// What every kernel for y = x·wᵀ takes, and how it ends: y[m, n] = Σk x[m, k]·w[n, k] + Σr u[m, r]·b[n, r] + bias[n]
// + residual[m, n], with m < rows, n < N = p.out_features and k < K = p.in_features.
// requires: y

struct Params {
  rows: u32, out_features: u32, in_features: u32, rank: u32,
  has_bias: u32, has_residual: u32,
  absmax_at: u32, map_at: u32, nested_shift: u32, offset: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> scales: array<u32>;
// u, the LoRA module's activations [rows, rank].
@group(0) @binding(4) var<storage, read> activations: array<f32>;
@group(0) @binding(5) var<storage, read> b: array<f32>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;
@group(0) @binding(7) var<storage, read> residual: array<f32>;

#include "shared/lora_activations.wgsl"

fn b_at(n: u32, r: u32) -> f32 {
  if (n < p.out_features && r < p.rank) { return b[n * p.rank + r]; }
  return 0.0;
}

// Adds bias and residual to four elements of y, from the nearest places in range.
fn with_bias_and_residual(rows: vec4u, columns: vec4u, products: vec4f) -> vec4f {
  var v = products;
  let n = min(columns, vec4u(p.out_features - 1u));
  if (p.has_bias != 0u) { v += vec4f(bias[n.x], bias[n.y], bias[n.z], bias[n.w]); }
  if (p.has_residual != 0u) {
    let at = min(rows, vec4u(p.rows - 1u)) * p.out_features + n;
    v += vec4f(residual[at.x], residual[at.y], residual[at.z], residual[at.w]);
  }
  return v;
}

// Writes y[m, n], if it is there.
fn store_y(m: u32, n: u32, value: f32) {
  if (m < p.rows && n < p.out_features) { y[m * p.out_features + n] = value; }
}
