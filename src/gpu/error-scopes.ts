const FILTERS = ['out-of-memory', 'internal', 'validation'] as const;

/**
 * Runs `work`, which must be synchronous; resolves to the device's error message if it refuses any of it, else
 * undefined.
 */
export async function refusal(device: GPUDevice, work: () => void): Promise<string | undefined> {
  for (const filter of FILTERS) device.pushErrorScope(filter);
  const errors: Promise<GPUError | null>[] = [];
  try {
    work();
  } finally {
    errors.push(...FILTERS.map(() => device.popErrorScope()));
  }
  return (await Promise.all(errors)).find((error) => error)?.message;
}
