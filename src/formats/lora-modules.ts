// References: PEFT, src/peft/tuners/tuners_utils.py (target modules); E. J. Hu et al., "LoRA", arXiv:2106.09685; D.
// Kalajdzievski, arXiv:2312.03732 (rsLoRA's scaling).
import type { AdapterConfig } from './adapter-config.ts';
import type { Allowance } from './bounded-regexp.ts';
import type { DecoderConfig } from './decoder-config.ts';
import { linearModules, type Projection } from './decoder-weights.ts';
import { compilePattern, type ModuleExpression } from './module-pattern.ts';
import { quote } from './quote.ts';
import { UserError } from './user-error.ts';

/** One adapted linear module: y += scaling · B(A(x)). */
export interface LoraModule {
  readonly layer: number;
  readonly projection: Projection;
  /** As in "model.layers.0.self_attn.q_proj". */
  readonly name: string;
  readonly r: number;
  readonly alpha: number;
  /** alpha / r, or alpha / √r with rsLoRA. */
  readonly scaling: number;
  readonly inFeatures: number;
  readonly outFeatures: number;
}

/** Matching steps allowed for an adapter's expressions, over all module names: about a second. */
const MAX_STEPS = 1e7;

/** Modules outside the decoder layers that PEFT can adapt and Retune cannot. */
const OUTSIDE = ['lm_head', 'model.embed_tokens'];

/** The modules that PEFT would adapt, by layer, then q, k, v, o, gate, up, down. Throws UserError. */
export function loraModules(adapter: AdapterConfig, decoder: DecoderConfig): LoraModule[] {
  const settingsOf = moduleSettings(adapter);
  const modules = linearModules(decoder).flatMap(({ layer, projection, name, shape }): LoraModule[] => {
    const settings = settingsOf(name);
    if (!settings) {
      return [];
    }
    const { r, alpha } = settings;
    const scaling = alpha / (adapter.useRslora ? Math.sqrt(r) : r);
    return [{ layer, projection, name, r, alpha, scaling, inFeatures: shape[1], outFeatures: shape[0] }];
  });
  if (modules.length === 0) {
    throw new UserError(
      `${adapter.file}: target_modules is ${quote(adapter.targetModules)} and matches no module of the base, expected names such as q_proj; choose the base it belongs to.`,
    );
  }
  return modules;
}

/** Names of a list of target_modules that no linear module of the decoder layers has. */
export function unmatchedTargets(
  { targetModules }: Pick<AdapterConfig, 'targetModules'>,
  decoder: DecoderConfig,
): string[] {
  if (typeof targetModules === 'string') {
    return [];
  }
  const ends = new Set(
    linearModules(decoder).flatMap(({ name }) => {
      const parts = name.split('.');
      return parts.map((_, i) => parts.slice(i).join('.'));
    }),
  );
  return targetModules.filter((target) => !ends.has(target));
}

/**
 * r and alpha of a module by its name; undefined if the adapter does not adapt it. Throws UserError if a pattern
 * cannot be read or the target includes modules outside the decoder layers.
 */
export function moduleSettings(
  adapter: AdapterConfig,
): (name: string) => Pick<LoraModule, 'r' | 'alpha'> | undefined {
  const allowance = { steps: MAX_STEPS };
  const isTarget = targetMatcher(adapter, allowance);
  const outside = OUTSIDE.find(isTarget);
  if (outside !== undefined) {
    throw new UserError(
      `${adapter.file}: target_modules is ${quote(adapter.targetModules)} and includes ${outside}, expected linear modules of the decoder layers only; choose an adapter without it.`,
    );
  }
  const rankOf = patternLookup(adapter, 'rank_pattern', adapter.rankPattern, adapter.r, allowance);
  const alphaOf = patternLookup(adapter, 'alpha_pattern', adapter.alphaPattern, adapter.loraAlpha, allowance);
  return (name) => (isTarget(name) ? { r: rankOf(name), alpha: alphaOf(name) } : undefined);
}

type Matcher = (name: string) => boolean;

function targetMatcher(adapter: AdapterConfig, allowance: Allowance): Matcher {
  const { file, excludeModules } = adapter;
  const excluded =
    typeof excludeModules === 'string'
      ? fullMatch({ file, key: 'exclude_modules', pattern: excludeModules, allowance })
      : byName(excludeModules);
  const target = includes(adapter, allowance);
  const inLayers = layerMatcher(adapter, allowance);
  return (name) => !excluded(name) && target(name) && inLayers(name);
}

function includes({ file, targetModules }: AdapterConfig, allowance: Allowance): Matcher {
  if (typeof targetModules !== 'string') {
    return byName(targetModules);
  }
  if (targetModules.toLowerCase() === 'all-linear') {
    return (name) => !OUTSIDE.includes(name);
  }
  return fullMatch({ file, key: 'target_modules', pattern: targetModules, allowance });
}

/** Whether a name is one of `keys`, or ends in "." and one of them. */
function byName(keys: readonly string[]): Matcher {
  const known = new Set(keys);
  return (name) => {
    for (let at = 0; at >= 0; at = name.indexOf('.', at) + 1 || -1) {
      if (known.has(name.slice(at))) {
        return true;
      }
    }
    return false;
  };
}

function layerMatcher(
  { file, layersToTransform, layersPattern }: AdapterConfig,
  allowance: Allowance,
): Matcher {
  if (!layersToTransform) {
    return () => true;
  }
  const layers = new Set(layersToTransform);
  // The layer's number follows the match.
  const patterns = (layersPattern.length > 0 ? layersPattern : ['[^.]*']).map((pattern) =>
    compilePattern({ file, key: 'layers_pattern', pattern, allowance }, '^(?:|.*?\\.)', '\\.(?=\\d+\\.)'),
  );
  return (name) => {
    const end = patterns.map((find) => find(name)).find((found) => found !== undefined);
    return end !== undefined && layers.has(parseInt(name.slice(end)));
  };
}

/** The value of the first pattern whose key matches a module's whole name, or its end after a dot. */
function patternLookup(
  { file }: AdapterConfig,
  key: string,
  values: ReadonlyMap<string, number>,
  fallback: number,
  allowance: Allowance,
): (name: string) => number {
  const rules = [...values].map(([pattern, value]) => ({
    find: compilePattern({ file, key, pattern, allowance }, '^(?:.*\\.)?', '$'),
    value,
  }));
  return (name) => rules.find(({ find }) => find(name) !== undefined)?.value ?? fallback;
}

function fullMatch(expression: ModuleExpression): Matcher {
  const find = compilePattern(expression, '^', '$');
  return (name) => find(name) !== undefined;
}
