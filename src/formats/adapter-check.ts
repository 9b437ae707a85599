import { readMatrix, refuseWholeTable } from './adapter.ts';
import type { AdapterConfig } from './adapter-config.ts';
import { moduleName, PROJECTIONS } from './decoder-weights.ts';
import { moduleSettings } from './lora-modules.ts';
import { quote, shorten } from './quote.ts';
import { type Safetensors, showShape, type TensorInfo } from './safetensors.ts';
import { UserError } from './user-error.ts';

/** A module name in PEFT's form; layer numbers are bounded, because everything below the highest is looked up. */
const NAME = /^base_model\.model\.(model\.layers\.(\d{1,4})\..+)\.lora_([AB])(?:\.default)?\.weight$/;
const CONFIG = 'adapter_config.json';

interface Pair {
  readonly layer: number;
  A?: TensorInfo;
  B?: TensorInfo;
}

/**
 * Checks what can be known of an adapter without its base: that its tensors are finite LoRA pairs for exactly the
 * modules and ranks that its configuration gives. Returns the number of pairs. Throws UserError.
 */
export async function checkAdapter(file: Safetensors, config: AdapterConfig): Promise<number> {
  const settingsOf = moduleSettings(config);
  const pairs = readPairs(file);
  const refuse = (what: string): never => {
    throw new UserError(`${file.source.name}: ${what} by ${CONFIG}; take both files from the same adapter.`);
  };
  for (const [module, { A, B }] of pairs) {
    const r =
      settingsOf(module)?.r ??
      refuse(`${shorten(A.name)} is found, expected no tensor of its module (${choice(config)})`);
    if (A.shape[0] !== r) {
      refuse(`${shorten(A.name)} is ${showShape(A.shape)}, expected [${r}, in]`);
    }
    if (B.shape[1] !== r) {
      refuse(`${shorten(B.name)} is ${showShape(B.shape)}, expected [out, ${r}]`);
    }
  }
  const layers = Math.max(...[...pairs.values()].map(({ layer }) => layer)) + 1;
  for (let layer = 0; layer < layers; layer++) {
    for (const module of PROJECTIONS.map((projection) => moduleName(layer, projection))) {
      if (settingsOf(module) && !pairs.has(module)) {
        refuse(`there is no tensor of ${module}, expected lora_A and lora_B (${choice(config)})`);
      }
    }
  }
  for (const tensor of file.tensors.values()) {
    await readMatrix(tensor);
  }
  return pairs.size;
}

/** The keys that select the modules, as they are set. */
function choice({ targetModules, excludeModules, layersToTransform }: AdapterConfig): string {
  const keys = {
    target_modules: targetModules,
    exclude_modules: excludeModules,
    layers_to_transform: layersToTransform,
  };
  return Object.entries(keys)
    .filter(([, value]) => value && value.length > 0)
    .map(([key, value]) => `${key} ${quote(value)}`)
    .join(', ');
}

/** The tensors by module name, each in two dimensions and with its counterpart. */
function readPairs({ source, tensors }: Safetensors): Map<string, Required<Pair>> {
  const refuse = (what: string): never => {
    throw new UserError(
      `${source.name}: ${what}; the adapter is incomplete or not plain LoRA, so take another copy of it.`,
    );
  };
  const pairs = new Map<string, Pair>();
  for (const info of tensors.values()) {
    refuseWholeTable(info);
    const [, module, number, matrix] = NAME.exec(info.name) ?? [];
    const layer = Number(number);
    if (module === undefined || !PROJECTIONS.some((projection) => moduleName(layer, projection) === module)) {
      return refuse(
        `the tensor ${shorten(info.name)} is found, expected only lora_A.weight and lora_B.weight of linear modules of decoder layers`,
      );
    }
    if (info.shape.length !== 2) {
      return refuse(`${shorten(info.name)} is ${showShape(info.shape)}, expected two dimensions`);
    }
    const pair = pairs.get(module) ?? { layer };
    pairs.set(module, { ...pair, [matrix as 'A' | 'B']: info });
  }
  if (pairs.size === 0) {
    return refuse('there is no tensor in it, expected pairs of lora_A and lora_B');
  }
  for (const [module, { A, B }] of pairs) {
    if (!A || !B) {
      return refuse(`${module} has only lora_${A ? 'A' : 'B'}, expected lora_A and lora_B`);
    }
  }
  return pairs as Map<string, Required<Pair>>;
}
