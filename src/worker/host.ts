import { expose } from 'comlink';
import { UserError } from '../formats/user-error.ts';
import { openDevice } from '../gpu/device.ts';
import type { Answer, DeviceFacts, EngineApi } from './protocol.ts';

async function device(): Promise<Answer<DeviceFacts>> {
  if (!('gpu' in navigator))
    return {
      ok: false,
      sentence: 'This browser has no WebGPU; use Chrome 121 or newer on a PC with a discrete GPU.',
    };
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter)
    return {
      ok: false,
      sentence:
        'Chrome found no GPU that it may use; update the graphics driver and look at chrome://gpu for the reason.',
    };
  const gpu = await openDevice(adapter);
  const { name, software } = gpu;
  const maxBufferBytes = gpu.device.limits.maxBufferSize;
  gpu.close();
  return { ok: true, value: { name, software, maxBufferBytes } };
}

/** What stands so far; the rest of EngineApi is being built. */
const api: Pick<EngineApi, 'device'> = {
  device: () =>
    device().catch((error: unknown) => {
      if (error instanceof UserError) return { ok: false, sentence: error.message };
      throw error;
    }),
};

expose(api);
