/** [L2 norm, min(1, maxNorm/(norm + 1e-6))] in f64; a maxNorm of 0 does not clip. */
export function gradNormRef(grads: Float64Array, maxNorm: number): [number, number] {
  const norm = Math.sqrt(grads.reduce((sum, g) => sum + g * g, 0));
  return [norm, maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1];
}
