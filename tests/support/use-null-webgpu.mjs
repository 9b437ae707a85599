// Preloaded into the command line (node --import): the package "webgpu" is the null device.
import { register } from 'node:module';

const url = new URL('null-webgpu.mjs', import.meta.url).href;
const hooks = `export const resolve = (name, context, next) =>
  name === 'webgpu' ? { url: ${JSON.stringify(url)}, shortCircuit: true } : next(name, context);`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
process.env.VK_DRIVER_FILES = '/dev/null';
