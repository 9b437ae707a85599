import { UserError } from '../formats/user-error.ts';
import type { Gpu } from './device.ts';
import { sourceLine } from './shader-lines.ts';

/** A field of a kernel's `Params` struct, in WGSL order; every field is 4 bytes. */
export type ParamType = 'u32' | 'f32';
export type ParamSpec = Readonly<Record<string, ParamType>>;
export type ParamValues<P extends ParamSpec> = { readonly [K in keyof P]: number };

/**
 * The description of a kernel. `code` is a .wgsl file, preceded by what is chosen at run time. Convention: @binding(0)
 * is the uniform `Params`, and @binding(1…) are the storage buffers of `buffers`, in order. Entry point: main.
 */
export interface KernelSpec<P extends ParamSpec> {
  readonly name: string;
  readonly code: string;
  readonly buffers: readonly ('read' | 'read_write')[];
  readonly params: P;
  /** Variants that differ in constants only: their names in execution plans, for the labels of pipelines. */
  readonly variants?: readonly NamedConstants[];
}

/** Values for a shader's `override` declarations. */
export type Constants = Readonly<Record<string, number>>;

/** A variant's name, and the constants that select it. */
export interface NamedConstants {
  readonly name: string;
  readonly constants: Constants;
}

/** A key for constants. Runs for every dispatch, so it must be fast. */
function keyOf(constants: Constants): string {
  let key = '';
  for (const name in constants) {
    key += `${name}=${constants[name]} `;
  }
  return key;
}

/**
 * The label of a pipeline: the kernel, its variant and the remaining constants, as in
 * "nf4_matmul, f32 64x128x16, NESTED=1 STORED=0". Unique, as long as the kernels' names are.
 */
export function pipelineLabel(
  { name, variants = [] }: Pick<KernelSpec<ParamSpec>, 'name' | 'variants'>,
  constants: Constants = {},
): string {
  const variant = variants.find((one) =>
    Object.entries(one.constants).every(([key, value]) => constants[key] === value),
  );
  const others = Object.entries(constants)
    .filter(([key]) => variant?.constants[key] === undefined)
    .map(([key, value]) => `${key}=${value}`);
  return [name, variant?.name, others.join(' ')].filter(Boolean).join(', ');
}

interface Compiled {
  layout: GPUBindGroupLayout;
  pipelineLayout: GPUPipelineLayout;
  module: GPUShaderModule;
  pipelines: Map<string, GPUComputePipeline>;
}

/** One compute shader: its source, and its pipelines per device and set of constants. */
export class Kernel<P extends ParamSpec = ParamSpec> {
  readonly spec: KernelSpec<P>;
  readonly #fields: [string, ParamType][];
  readonly #compiled = new WeakMap<GPUDevice, Compiled>();

  constructor(spec: KernelSpec<P>) {
    this.spec = spec;
    this.#fields = Object.entries(spec.params);
    if (this.#fields.length > 64) {
      throw new Error(`${spec.name}: more than 256 bytes of parameters`);
    }
  }

  /** Writes the parameters at `offset` of a uniform block. Throws Error if a value is out of range for its type. */
  pack(into: DataView, offset: number, values: ParamValues<P>): void {
    let at = offset;
    for (const [field, type] of this.#fields) {
      const value = values[field]!;
      if (type === 'f32') {
        into.setFloat32(at, value, true);
      } else {
        if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
          throw new Error(`${this.spec.name}: parameter ${field} = ${value} is not a u32`);
        }
        into.setUint32(at, value, true);
      }
      at += 4;
    }
  }

  bindGroupLayout(gpu: Gpu): GPUBindGroupLayout {
    return this.#onDevice(gpu).layout;
  }

  /** The pipeline for these constants, compiled on first use. */
  pipeline(gpu: Gpu, constants: Constants = {}): GPUComputePipeline {
    const compiled = this.#onDevice(gpu);
    const key = keyOf(constants);
    let pipeline = compiled.pipelines.get(key);
    if (!pipeline) {
      pipeline = gpu.device.createComputePipeline(this.#descriptor(compiled, constants));
      compiled.pipelines.set(key, pipeline);
    }
    return pipeline;
  }

  /** Compiles ahead of use without blocking the thread. Throws UserError, naming the kernel. */
  async compile(gpu: Gpu, constants: Constants = {}): Promise<void> {
    const reason = await this.tryCompile(gpu, constants);
    if (reason !== undefined) {
      throw new UserError(
        `${gpu.name}: the kernel ${this.spec.name} could not be compiled (${reason}); update the graphics driver, or choose another GPU.`,
      );
    }
  }

  /** The same, but resolves to the reason if compilation fails. */
  async tryCompile(gpu: Gpu, constants: Constants = {}): Promise<string | undefined> {
    const compiled = this.#onDevice(gpu);
    const key = keyOf(constants);
    if (compiled.pipelines.has(key)) {
      return undefined;
    }
    try {
      const descriptor = this.#descriptor(compiled, constants);
      compiled.pipelines.set(key, await gpu.device.createComputePipelineAsync(descriptor));
      return undefined;
    } catch (error) {
      const inShader = (error as Partial<GPUPipelineError>).reason === 'validation';
      const fault = inShader ? await firstFault(compiled.module, this.spec.code) : undefined;
      const reason = fault ?? (error instanceof Error ? error.message : String(error));
      return reason.trim().split('\n')[0]!.replace(/\.$/, '');
    }
  }

  #descriptor(on: Compiled, constants: Constants): GPUComputePipelineDescriptor {
    const compute = { module: on.module, entryPoint: 'main', constants };
    return { label: pipelineLabel(this.spec, constants), layout: on.pipelineLayout, compute };
  }

  #onDevice(gpu: Gpu): Compiled {
    let compiled = this.#compiled.get(gpu.device);
    if (!compiled) {
      const layout = gpu.device.createBindGroupLayout({
        label: this.spec.name,
        entries: [
          {
            binding: 0,
            visibility: GPUShaderStage.COMPUTE,
            buffer: { type: 'uniform', hasDynamicOffset: true },
          },
          ...this.spec.buffers.map((access, i) => ({
            binding: i + 1,
            visibility: GPUShaderStage.COMPUTE,
            buffer: { type: access === 'read' ? ('read-only-storage' as const) : ('storage' as const) },
          })),
        ],
      });
      compiled = {
        layout,
        pipelineLayout: gpu.device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        module: gpu.device.createShaderModule({ label: this.spec.name, code: this.spec.code }),
        pipelines: new Map(),
      };
      this.#compiled.set(gpu.device, compiled);
    }
    return compiled;
  }
}

/** The first error of the shader compiler, with its file and line in shaders/; undefined if it found none. */
async function firstFault(module: GPUShaderModule, code: string): Promise<string | undefined> {
  const { messages } = await module.getCompilationInfo();
  const fault = messages.find(({ type }) => type === 'error');
  return fault && `${sourceLine(code, fault.lineNum) ?? `line ${fault.lineNum}`}: ${fault.message}`;
}

/** A kernel and the constants it is called with. */
export interface Needed {
  readonly kernel: Kernel;
  readonly constants: Constants;
}

/** Compiles all of them concurrently, off this thread. Throws UserError, naming the kernel that failed. */
export async function compileKernels(
  gpu: Gpu,
  needed: readonly Needed[],
  onProgress: (done: number) => void,
): Promise<void> {
  let done = 0;
  onProgress(done);
  await Promise.all(
    needed.map(async ({ kernel, constants }) => {
      await kernel.compile(gpu, constants);
      onProgress(++done);
    }),
  );
}
