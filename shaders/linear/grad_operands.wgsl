// What every kernel for dx = dy·w takes: dx[m, k] (+)= Σn dy[m, n]·w[n, k] + Σr v[m, r]·a[r, k], with m < rows,
// n < N = p.out_features and k < K = p.in_features: the gradient of y = x·wᵀ with respect to x.

struct Params {
  rows: u32, out_features: u32, in_features: u32, rank: u32,
  accumulate: u32,
  absmax_at: u32, map_at: u32, nested_shift: u32, offset: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read> scales: array<u32>;
// v, the gradient of the LoRA module's activations [rows, rank].
@group(0) @binding(4) var<storage, read> activations: array<f32>;

#include "shared/lora_activations.wgsl"
