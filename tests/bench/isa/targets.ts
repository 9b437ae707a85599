import { parseAco } from './aco.ts';
import { parseAgx } from './agx.ts';
import type { Facts } from './listing.ts';
import { NAK_STAGE, parseNak } from './nak.ts';

/** A driver's compiler, and how it is made to talk. */
interface Compiler {
  name: string;
  /** Library that stands in for the kernel's driver, of Debian's mesa-drm-shim. */
  shim: string;
  /** The driver's manifest. */
  icd: string;
  env: Readonly<Record<string, string>>;
  /** Variable that names the GPU. */
  gpu: string | undefined;
  parse(lines: readonly string[]): Facts;
  /** A line that makes those before it worthless, in dumps too long to be held. */
  restart?: RegExp;
  /** What its figures are. */
  notes: string;
}

const COMPILERS = {
  amd: {
    name: 'RADV, ACO',
    shim: 'libamdgpu_noop_drm_shim.so',
    icd: 'radeon_icd.json',
    env: { RADV_DEBUG: 'cs,asm,shaderstats,nocache', ACO_DEBUG: 'perfinfo' },
    gpu: 'AMDGPU_GPU_ID',
    parse: parseAco,
    notes:
      'Occupancy: subgroups a SIMD. Cycles: ACO’s inverse throughput of the whole kernel, for 64 invocations (half of it for a subgroup of 32); it takes a loop to run 8 times, and a loop in it 4 times.',
  },
  nv: {
    name: 'NVK, NAK',
    shim: 'libnouveau_noop_drm_shim.so',
    icd: 'nouveau_icd.json',
    env: { NVK_I_WANT_A_BROKEN_VULKAN_DRIVER: '1', NAK_DEBUG: 'print' },
    gpu: 'NOUVEAU_CHIPSET',
    parse: parseNak,
    restart: NAK_STAGE,
    notes:
      'Not NVIDIA’s own compiler, but the same instruction set; NAK checks the bounds of a 16-byte load word by word, which NVIDIA’s does not. Occupancy: warps a multiprocessor. Cycles: NAK’s static count of the whole kernel, by its own guess of how often a block runs.',
  },
  apple: {
    name: 'Honeykrisp, AGX',
    shim: 'libasahi_noop_drm_shim.so',
    icd: 'asahi_icd.json',
    env: { AGX_MESA_DEBUG: 'shaderdb' },
    gpu: undefined,
    parse: parseAgx,
    notes:
      'Not Apple’s own compiler. Registers: of 32 bits. Occupancy: invocations a core. Cycles: arithmetic operations. It prints no listing that could be read, so loops are not known.',
  },
} as const satisfies Record<string, Compiler>;

/** GPUs by `compiler:id`. */
const TITLES = {
  'amd:navi21': 'RX 6800 (RDNA2)',
  'amd:navi31': 'RX 7900 XTX (RDNA3)',
  'amd:navi33': 'RX 7600 (RDNA3)',
  'amd:strix1': 'Radeon 890M (RDNA3.5)',
  'amd:gfx1201': 'RX 9070 XT (RDNA4)',
  'nv:0x164': 'Turing',
  'nv:0x174': 'Ampere',
  'nv:0x197': 'Ada',
  'nv:0x1b2': 'Blackwell',
  'apple:m1': 'Apple M1',
} as const;
export type TargetName = keyof typeof TITLES;
export const TARGETS = Object.keys(TITLES) as TargetName[];

export interface Target extends Compiler {
  target: TargetName;
  title: string;
  env: Readonly<Record<string, string>>;
}

export function targetOf(target: TargetName): Target {
  const [kind, id] = target.split(':') as [keyof typeof COMPILERS, string];
  const compiler: Compiler = COMPILERS[kind];
  const env = { ...compiler.env, ...(compiler.gpu === undefined ? {} : { [compiler.gpu]: id }) };
  return { ...compiler, target, title: TITLES[target], env };
}
