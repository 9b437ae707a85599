/** WebGPU on a device that computes almost nothing; a software device unless `hardware` is set. */
export function nullWebGpu(options?: { hardware?: boolean }): GPU;
export const create: () => GPU;
export const globals: Record<string, unknown>;
