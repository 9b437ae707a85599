// WebGPU on a device that computes next to nothing, in the place of the package "webgpu" or of navigator.gpu. Buffers
// hold what is written and copied, V1 and the base too. Kernels do nothing, but for those whose results a run goes by:
// losses come from the rows, and a step changes weights and optimizer by the rows of the step and by all that they were
// before. So a run that goes on with anything else than what it had ends in other bytes.

const mix = (hash, word) => Math.imul(hash ^ word, 0x01000193) >>> 0;
/** A number in [0, 1) with few digits. */
const share = (hash) => (hash % 4096) / 4096;

class Buffer {
  #bytes;

  constructor({ size, usage, label = '' }) {
    this.size = size;
    this.usage = usage;
    this.label = label;
  }

  /** Allocated only when first read or written. */
  get bytes() {
    return (this.#bytes ??= new Uint8Array(this.size));
  }

  mapAsync() {
    return Promise.resolve();
  }

  getMappedRange(offset = 0, size = this.size - offset) {
    // What is written there counts.
    return this.usage & globals.GPUBufferUsage.MAP_WRITE
      ? this.bytes.buffer
      : this.bytes.buffer.slice(offset, offset + size);
  }

  unmap() {}

  destroy() {
    this.#bytes = undefined;
  }
}

/** Effect of each step kernel on the device, by kernel name. `p`: the parameters. */
const KERNELS = {
  cross_entropy(device, p, [, , labels, losses], rows) {
    const begin = p.getUint32(8, true);
    for (let r = 0; r < rows; r++) {
      const hash = mix(0x811c9dc5, words(labels)[r]);
      floats(losses)[begin + r] = 2 + share(hash);
      if (p.getUint32(12, true) === 1) {
        device.gradient = mix(device.gradient, hash);
      }
    }
  },
  grad_norm_finish(device, _p, [, control]) {
    device.step = device.gradient;
    device.gradient = 0;
    floats(control).set([1 + share(device.step), 1, 1, 0]);
  },
  adamw8bit(device, p, [weights, , mCodes, vCodes, mAbsmax, vAbsmax]) {
    update(device, p, weights, words(mCodes).length * 4, (i) => {
      const codes = bytes(mCodes);
      bytes(vCodes)[i] += codes[i] + 1;
      return (codes[i] = Math.imul(codes[i], 29) + bytes(vCodes)[i] + device.step) / 256;
    });
    for (const scales of [floats(mAbsmax), floats(vAbsmax)]) {
      for (let i = 0; i < scales.length; i++) {
        scales[i] = scales[i] / 2 + share(device.step + i);
      }
    }
  },
  adamw32(device, p, [weights, , m, v]) {
    update(device, p, weights, floats(m).length, (i) => {
      floats(v)[i] = floats(v)[i] / 2 + 1;
      return (floats(m)[i] = floats(m)[i] / 2 + floats(v)[i] * share(device.step + i));
    });
  },
};

/** weights := weights·decay − stepSize·(what `moment` makes of a weight's state) */
function update(device, p, weights, count, moment) {
  const [stepSize, decay] = [p.getFloat32(20, true), p.getFloat32(28, true)];
  const values = floats(weights);
  for (let i = 0; i < Math.min(count, values.length); i++) {
    values[i] = values[i] * decay - stepSize * moment(i);
  }
}

const view = (Type, { buffer, offset, size }) =>
  new Type(buffer.bytes.buffer, offset, size / Type.BYTES_PER_ELEMENT);
const words = (range) => view(Uint32Array, range);
const floats = (range) => view(Float32Array, range);
const bytes = (range) => view(Uint8Array, range);

class Encoder {
  commands = [];

  beginComputePass() {
    let name;
    let group;
    let at;
    return {
      setPipeline: (pipeline) => (name = pipeline.label),
      setBindGroup: (_, bound, [offset]) => ([group, at] = [bound, offset]),
      dispatchWorkgroups: (_x, y) => {
        const kernel = KERNELS[name];
        const [uniform, ...ranges] = group;
        const parameters = at;
        if (kernel) {
          this.commands.push((device) =>
            kernel(device, new DataView(uniform.buffer.bytes.buffer, parameters, 128), ranges, y),
          );
        }
      },
      end: () => undefined,
    };
  }

  copyBufferToBuffer(from, fromOffset, to, toOffset, size) {
    this.commands.push(() => to.bytes.set(from.bytes.subarray(fromOffset, fromOffset + size), toOffset));
  }

  clearBuffer(buffer, offset, size) {
    // Discarded gradients are those of the rows so far.
    this.commands.push((device) => {
      if (buffer.label.includes('grads')) {
        device.gradient = 0;
      }
      buffer.bytes.fill(0, offset, offset + size);
    });
  }

  finish() {
    return this.commands;
  }
}

const LIMITS = {
  maxBufferSize: 2 ** 28,
  maxStorageBufferBindingSize: 2 ** 27,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
};

function openDevice(info) {
  const state = { gradient: 0, step: 0 };
  return {
    limits: LIMITS,
    features: new Set(),
    adapterInfo: info,
    lost: new Promise(() => undefined),
    queue: {
      writeBuffer(buffer, offset, data, begin = 0, size = undefined) {
        const unit = ArrayBuffer.isView(data) ? data.BYTES_PER_ELEMENT : 1;
        const [from, start] = ArrayBuffer.isView(data) ? [data.buffer, data.byteOffset] : [data, 0];
        const length = size === undefined ? data.byteLength - begin * unit : size * unit;
        buffer.bytes.set(new Uint8Array(from, start + begin * unit, length), offset);
      },
      submit: (lists) => lists.flat().forEach((command) => command(state)),
      onSubmittedWorkDone: () => Promise.resolve(),
    },
    addEventListener: () => undefined,
    destroy: () => undefined,
    createBuffer: (descriptor) => new Buffer(descriptor),
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    createShaderModule: () => ({}),
    createComputePipeline: ({ label }) => ({ label }),
    createComputePipelineAsync: ({ label }) => Promise.resolve({ label }),
    createBindGroup: ({ entries }) =>
      entries.map(({ resource: { buffer, offset = 0, size = buffer.size } }) => ({ buffer, offset, size })),
    createCommandEncoder: () => new Encoder(),
    pushErrorScope: () => undefined,
    popErrorScope: () => Promise.resolve(null),
  };
}

/** A software device, unless `hardware` is set: then kernels are tuned and memory is measured. */
export function nullWebGpu({ hardware = false } = {}) {
  const info = {
    vendor: 'null',
    architecture: '',
    device: '',
    description: 'null device',
    isFallbackAdapter: !hardware,
  };
  const adapter = {
    info,
    limits: LIMITS,
    features: new Set(),
    requestDevice: () => Promise.resolve(openDevice(info)),
  };
  return { requestAdapter: () => Promise.resolve(adapter) };
}

export const globals = {
  GPUBufferUsage: {
    MAP_READ: 1,
    MAP_WRITE: 2,
    COPY_SRC: 4,
    COPY_DST: 8,
    INDEX: 16,
    VERTEX: 32,
    UNIFORM: 64,
    STORAGE: 128,
    INDIRECT: 256,
    QUERY_RESOLVE: 512,
  },
  GPUMapMode: { READ: 1, WRITE: 2 },
  GPUShaderStage: { VERTEX: 1, FRAGMENT: 2, COMPUTE: 4 },
  GPUOutOfMemoryError: class extends Error {},
};

export const create = () => nullWebGpu({ hardware: process.env.NULL_GPU === 'hardware' });
