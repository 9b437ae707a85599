// Compiles the kernels in ../peers on the first adapter, one after the other; runs none. Those that need what the device
// lacks are named on stdout.
import { readdirSync, readFileSync } from 'node:fs';
import { create, globals } from 'webgpu';

Object.assign(globalThis, globals);
const instance = create(['enable-dawn-features=allow_unsafe_apis']);
const adapter = await instance.requestAdapter();
const device = await adapter.requestDevice({ requiredFeatures: [...adapter.features] });
const folder = new URL('../peers/', import.meta.url);
for (const file of readdirSync(folder).sort()) {
  const code = readFileSync(new URL(file, folder), 'utf8');
  const label = `peer: ${file.replace('.wgsl', '')}`;
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label, code });
  const fault = await device.popErrorScope();
  if (fault) {
    console.log(`${label} does not compile: ${fault.message}`);
    continue;
  }
  await device
    .createComputePipelineAsync({ label, layout: 'auto', compute: { module, entryPoint: 'main' } })
    .catch((error) => console.log(`${label} does not compile: ${error.message}`));
}
process.exit(0);
