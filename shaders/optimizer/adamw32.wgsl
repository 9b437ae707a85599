// One AdamW step with m and v in f32 (32-bit optimizers, small tensors of 8-bit ones). One thread per 4 elements. The
// gradients are cleared. A gradient that is not finite leaves its weight alone and clears its m and v.
// Reference: I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", arXiv:1711.05101.

struct Params {
  count4: u32,
  beta1: f32,
  one_minus_beta1: f32,
  beta2: f32,
  one_minus_beta2: f32,
  step_size: f32,
  eps_hat: f32,
  decay: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> weights: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> grads: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> m_state: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> v_state: array<vec4f>;
// Gradient norm, clip factor, 1 where every gradient is finite.
@group(0) @binding(5) var<storage, read> control: array<f32>;

const THREADS = 64u;
const EXPONENT = vec4u(0x7f800000u);

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = (group.x + group.y * groups.x) * THREADS + lane;
  if (at >= p.count4 || control[2] != 1.0) { return; }
  let bits = grads[at];
  let finite = (bits & EXPONENT) != EXPONENT;
  let g = select(vec4f(), bitcast<vec4f>(bits), finite) * control[1];
  let m = select(vec4f(), p.beta1 * m_state[at] + p.one_minus_beta1 * g, finite);
  let v = select(vec4f(), p.beta2 * v_state[at] + p.one_minus_beta2 * g * g, finite);
  let w = weights[at];
  weights[at] = select(w, (w - p.step_size * (m / (sqrt(v) + p.eps_hat))) * p.decay, finite);
  grads[at] = vec4u();
  m_state[at] = m;
  v_state[at] = v;
}
