/** WebGPU on a device that computes next to nothing; a software device unless `hardware` is asked for. */
export function nullWebGpu(options?: { hardware?: boolean }): GPU;
export const create: () => GPU;
export const globals: Record<string, unknown>;
