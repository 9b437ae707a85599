// Loaded before the program (node --import): announces on stderr which pipeline the driver is about to compile, so that
// its dump can be told apart. Pipelines must be compiled one after the other. ISA_ONLY: a regular expression; pipelines
// with other labels are passed over.
import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const folder = join(dirname(require.resolve('webgpu')), 'dist', `${process.platform}-${process.arch}`);
const dawn = require(join(folder, 'dawn.node'));

// Dawn hides f16 on NVIDIA's GPUs unless told otherwise; its kernels are to be seen.
const { create } = dawn;
dawn.create = (flags) =>
  create(flags.map((flag) => flag.replace(/^(enable-dawn-features=)/, '$1vulkan_enable_f16_on_nvidia,')));

const only = new RegExp(process.env.ISA_ONLY ?? '', 'u');
const { prototype } = dawn.globals.GPUDevice;
const compile = prototype.createComputePipelineAsync;
prototype.createComputePipelineAsync = async function (descriptor) {
  const { label } = descriptor;
  if (!only.test(label)) {
    return {};
  }
  writeSync(2, `@@@ ${label}\n`);
  try {
    return await compile.call(this, descriptor);
  } finally {
    writeSync(2, '@@@end\n');
  }
};
