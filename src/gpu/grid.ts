/** Maximum workgroups per dimension in WebGPU. */
const MAX = 65535;

/**
 * Spreads `count` workgroups over x and y. The shader computes its index as `workgroup_id.x + workgroup_id.y *
 * num_workgroups.x` and must guard against indices ≥ count.
 */
export function spread(count: number): [number, number] {
  if (count <= MAX) {
    return [count, 1];
  }
  const y = Math.ceil(count / MAX);
  return [Math.ceil(count / y), y];
}

/** ceil(a / b) for non-negative integers. */
export function ceilDiv(a: number, b: number): number {
  return Math.ceil(a / b);
}
