const FILTERS = ['out-of-memory', 'internal', 'validation'] as const;

/** Does `work`, which may not wait in between, and resolves to why the device refuses some of it, if it does. */
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
