const FILTERS = ['validation', 'internal', 'out-of-memory'] as const;

/**
 * Runs `work` within one error scope of each of `filters`, the first innermost, and closes them whatever happens.
 * Resolves to its result and the error of each scope, null where it caught none. If `work` is synchronous, nothing
 * else runs within the scopes.
 */
export async function withErrorScopes<T>(
  device: GPUDevice,
  filters: readonly GPUErrorFilter[],
  work: () => T | Promise<T>,
): Promise<{ result: T; errors: readonly (GPUError | null)[] }> {
  for (const filter of filters.toReversed()) {
    device.pushErrorScope(filter);
  }
  const close = () => Promise.all(filters.map(() => device.popErrorScope()));
  let result: T;
  try {
    const made = work();
    result = made instanceof Promise ? await made : made;
  } catch (error) {
    await close();
    throw error;
  }
  return { result, errors: await close() };
}

/**
 * Runs `work`, which must be synchronous; resolves to the device's error message if it refuses any of it, else
 * undefined.
 */
export async function refusal(device: GPUDevice, work: () => void): Promise<string | undefined> {
  const { errors } = await withErrorScopes(device, FILTERS, work);
  return errors.find((error) => error)?.message;
}
