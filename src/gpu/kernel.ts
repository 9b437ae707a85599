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
  /** Structs of one kind before the other parameters: u32 and f32 fields, a multiple of four of them. */
  readonly parts?: { readonly fields: ParamSpec; readonly count: number };
  /** Variants that differ in constants only: their names in execution plans, for the labels of pipelines. */
  readonly variants?: readonly NamedConstants[];
}

type Field = [name: string, type: ParamType];

/** The values of one part. */
export type PartValues = Readonly<Record<string, number>>;
const NO_VALUES: PartValues = {};

/** Values for a shader's `override` declarations. */
export type Constants = Readonly<Record<string, number>>;

/** A variant's name, and the constants that select it. */
export interface NamedConstants {
  readonly name: string;
  readonly constants: Constants;
}

const NO_CONSTANTS: Constants = {};

/** Whether two sets of constants are the same. Runs for every dispatch, so it must be fast. */
function sameConstants(a: Constants, b: Constants): boolean {
  if (a === b) {
    return true;
  }
  let names = 0;
  for (const name in a) {
    if (a[name] !== b[name]) {
      return false;
    }
    names++;
  }
  return names === Object.keys(b).length;
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
  /** Few of a kernel: its variants, and what they are specialized to. */
  pipelines: { constants: Constants; pipeline: GPUComputePipeline }[];
}

const pipelineOf = ({ pipelines }: Compiled, constants: Constants): GPUComputePipeline | undefined =>
  pipelines.find((one) => sameConstants(one.constants, constants))?.pipeline;

/** One compute shader: its source, and its pipelines per device and set of constants. */
export class Kernel<P extends ParamSpec = ParamSpec> {
  readonly spec: KernelSpec<P>;
  readonly #fields: readonly Field[];
  readonly #partFields: readonly Field[];
  readonly #compiled = new WeakMap<GPUDevice, Compiled>();

  constructor(spec: KernelSpec<P>) {
    this.spec = spec;
    this.#fields = Object.entries(spec.params);
    this.#partFields = Object.entries(spec.parts?.fields ?? {});
    if (this.#fields.length + this.#partFields.length * (spec.parts?.count ?? 0) > 64) {
      throw new Error(`${spec.name}: more than 256 bytes of parameters`);
    }
  }

  /**
   * Writes the parameters at `offset` of a uniform block; a part that is absent is all zeros. Throws Error if a value is
   * out of range for its type.
   */
  pack(into: DataView, offset: number, values: ParamValues<P>, parts: readonly PartValues[] = []): void {
    let at = offset;
    for (let i = 0; i < (this.spec.parts?.count ?? 0); i++) {
      at = this.#put(into, at, this.#partFields, parts[i] ?? NO_VALUES);
    }
    this.#put(into, at, this.#fields, values);
  }

  #put(into: DataView, begin: number, fields: readonly Field[], values: PartValues): number {
    let at = begin;
    for (const [field, type] of fields) {
      const value = values === NO_VALUES ? 0 : values[field]!;
      if (type === 'f32') {
        into.setFloat32(at, value, true);
      } else {
        if (value >>> 0 !== value) {
          throw new Error(`${this.spec.name}: parameter ${field} = ${value} is not a u32`);
        }
        into.setUint32(at, value, true);
      }
      at += 4;
    }
    return at;
  }

  bindGroupLayout(gpu: Gpu): GPUBindGroupLayout {
    return this.#onDevice(gpu).layout;
  }

  /** The pipeline for these constants, compiled on first use. */
  pipeline(gpu: Gpu, constants = NO_CONSTANTS): GPUComputePipeline {
    const compiled = this.#onDevice(gpu);
    let pipeline = pipelineOf(compiled, constants);
    if (!pipeline) {
      pipeline = gpu.device.createComputePipeline(this.#descriptor(compiled, constants));
      compiled.pipelines.push({ constants, pipeline });
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
    if (pipelineOf(compiled, constants)) {
      return undefined;
    }
    try {
      const descriptor = this.#descriptor(compiled, constants);
      const pipeline = await gpu.device.createComputePipelineAsync(descriptor);
      compiled.pipelines.push({ constants, pipeline });
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
        pipelines: [],
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
