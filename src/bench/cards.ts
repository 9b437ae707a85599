/** Clocks that each unit of a SIMD takes for one instruction of 32 lanes. */
interface Units {
  /** A multiply-add in f32. */
  fma: number;
  /** Any other vector instruction. */
  vector: number;
  /** 16 × 16 × 16 on matrices of f16 with sums in f32, whatever the size of the instruction. */
  matrix: number;
  /** Each instruction of any kind, where all go through one scheduler. */
  issue: number;
}

/** What a card's maker publishes, as far as a forecast needs it. */
export interface Card {
  name: string;
  /** What its name in `GPUAdapterInfo.description` holds. */
  named: RegExp;
  /** The target of `npm run isa` whose compiler's figures count. */
  target: string;
  /** GHz under load: AMD's game clock, NVIDIA's boost clock. */
  clock: number;
  /** SIMDs, or schedulers of NVIDIA's multiprocessors, and those in a unit that a workgroup runs on. */
  simds: number;
  unitSimds: number;
  /** Whether its compiler's occupancy is that of a unit, not of a SIMD. */
  perUnit: boolean;
  units: Units;
  /** GB/s of its memory. */
  bandwidth: number;
  /** MB of its last cache: forecasts take every byte from memory. */
  cache: number;
  /** GB of its memory. */
  memory: number;
  source: string;
}

/**
 * RDNA3's SIMD issues two f32 multiply-adds a clock (AMD, "RDNA3 Instruction Set Architecture", section 7.6), and a
 * matrix product takes 32 (the same, section 7.9: 512 FLOP a clock and compute unit).
 */
const RDNA3: Units = { fma: 0.5, vector: 1, matrix: 32, issue: 0 };
/** Twice as many matrix products a compute unit (AMD, RDNA 4 press deck: 1,024 FLOP a clock in f16). */
const RDNA4: Units = { ...RDNA3, matrix: 16 };
/**
 * One scheduler issues one instruction a clock; f16 matrices with f32 sums on GeForce at half rate: 165 TFLOPS of an
 * RTX 4090 are 64 multiply-adds a clock and scheduler (NVIDIA, "Ada GPU Architecture", appendix A).
 */
const ADA: Units = { fma: 1, vector: 1, matrix: 64, issue: 1 };
/** 989 TFLOPS in f16 at 1.83 GHz are 512 a clock and scheduler (NVIDIA, "H200 Tensor Core GPU" datasheet). */
const HOPPER: Units = { ...ADA, matrix: 8 };

export const CARDS: readonly Card[] = [
  {
    ...{ name: 'RTX 4060', named: /RTX 4060(?! (Ti|Laptop))/, target: 'nv:0x197', units: ADA },
    ...{ clock: 2.46, simds: 96, unitSimds: 4, perUnit: true, bandwidth: 272, cache: 24, memory: 8 },
    source: 'NVIDIA: 3,072 cores at 2.46 GHz, 128 bits of 17 Gbps',
  },
  {
    ...{ name: 'RTX 4090', named: /RTX 4090(?! (D|Laptop))/, target: 'nv:0x197', units: ADA },
    ...{ clock: 2.52, simds: 512, unitSimds: 4, perUnit: true, bandwidth: 1008, cache: 72, memory: 24 },
    source: 'NVIDIA, "Ada GPU Architecture": 128 multiprocessors at 2.52 GHz, 384 bits of 21 Gbps',
  },
  {
    ...{ name: 'RX 7600', named: /RX 7600(?! XT)/, target: 'amd:navi33', units: RDNA3 },
    ...{ clock: 2.25, simds: 64, unitSimds: 2, perUnit: false, bandwidth: 288, cache: 32, memory: 8 },
    source: 'AMD: 32 compute units, game clock 2,250 MHz, 288 GB/s',
  },
  {
    ...{ name: 'RX 7900 XTX', named: /RX 7900 XTX/, target: 'amd:navi31', units: RDNA3 },
    ...{ clock: 2.3, simds: 192, unitSimds: 2, perUnit: false, bandwidth: 960, cache: 96, memory: 24 },
    source: 'AMD: 96 compute units, game clock 2,300 MHz, 960 GB/s',
  },
  {
    ...{ name: 'RX 9070 XT', named: /RX 9070 XT/, target: 'amd:gfx1201', units: RDNA4 },
    ...{ clock: 2.4, simds: 128, unitSimds: 2, perUnit: false, bandwidth: 640, cache: 64, memory: 16 },
    source: 'AMD: 64 compute units, game clock 2,400 MHz, 640 GB/s',
  },
  {
    ...{ name: 'H200', named: /\bH200\b/, target: 'nv:0x197', units: HOPPER },
    ...{ clock: 1.83, simds: 528, unitSimds: 4, perUnit: true, bandwidth: 4800, cache: 50, memory: 141 },
    source: 'NVIDIA, "H200" datasheet: 132 multiprocessors, 67 TFLOPS in f32, 4.8 TB/s; code as for Ada',
  },
];

/**
 * As slow a card as is worth training on: 14 multiprocessors, whose four schedulers of 16 lanes count as two of 32. It has
 * no matrices.
 */
export const SLOW_CARD: Card = {
  ...{ name: 'GTX 1650', named: /GTX 1650(?! (SUPER|Ti|with))/i, target: 'nv:0x197', units: ADA },
  ...{ clock: 1.665, simds: 28, unitSimds: 2, perUnit: true, bandwidth: 128, cache: 1, memory: 4 },
  source: 'NVIDIA: 896 cores at 1,665 MHz, 128 bits of 8 Gbps; code as for Ada',
};

/** The card of this name; undefined for others. */
export const cardNamed = (name: string): Card | undefined => CARDS.find(({ named }) => named.test(name));
