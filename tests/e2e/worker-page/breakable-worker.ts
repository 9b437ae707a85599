// The engine's worker with a way to lose its device: for tests only, not shipped.
const devices: GPUDevice[] = [];
const { requestDevice } = GPUAdapter.prototype;
GPUAdapter.prototype.requestDevice = async function (this: GPUAdapter, ...call) {
  const device = await requestDevice.apply(this, call);
  devices.push(device);
  return device;
};
new BroadcastChannel('break').onmessage = () => devices.at(-1)?.destroy();

await import('../../../src/engine/host.ts');

export {};
