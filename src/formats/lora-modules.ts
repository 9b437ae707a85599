import type { AdapterConfig } from './adapter-config.ts';
import type { DecoderConfig } from './decoder-config.ts';
import { linearModules, type Projection } from './decoder-weights.ts';
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
  /** alpha / r, or alpha / √r with rslora. */
  readonly scaling: number;
  readonly inFeatures: number;
  readonly outFeatures: number;
}

/** Modules outside the decoder layers that PEFT could adapt and Retune cannot. */
const OUTSIDE = ['lm_head', 'model.embed_tokens'];

/** The modules that PEFT would adapt, in layer order, then q, k, v, o, gate, up, down. Throws UserError. */
export function loraModules(adapter: AdapterConfig, decoder: DecoderConfig): LoraModule[] {
  const settingsOf = moduleSettings(adapter);
  const modules = linearModules(decoder).flatMap(({ layer, projection, name, shape }): LoraModule[] => {
    const settings = settingsOf(name);
    if (!settings) return [];
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

/**
 * r and alpha of a module by its name, undefined where the adapter leaves it alone. Throws UserError where a pattern
 * cannot be read or the target reaches outside the decoder layers.
 */
export function moduleSettings(
  adapter: AdapterConfig,
): (name: string) => Pick<LoraModule, 'r' | 'alpha'> | undefined {
  const isTarget = targetMatcher(adapter);
  const outside = OUTSIDE.find(isTarget);
  if (outside !== undefined) {
    throw new UserError(
      `${adapter.file}: target_modules is ${quote(adapter.targetModules)} and includes ${outside}, expected linear modules of the decoder layers only; choose an adapter without it.`,
    );
  }
  const rankOf = patternLookup(adapter, 'rank_pattern', adapter.rankPattern, adapter.r);
  const alphaOf = patternLookup(adapter, 'alpha_pattern', adapter.alphaPattern, adapter.loraAlpha);
  return (name) => (isTarget(name) ? { r: rankOf(name), alpha: alphaOf(name) } : undefined);
}

type Matcher = (name: string) => boolean;

function targetMatcher(adapter: AdapterConfig): Matcher {
  const { file, excludeModules } = adapter;
  const excluded =
    typeof excludeModules === 'string'
      ? fullMatch(file, 'exclude_modules', excludeModules)
      : byName(excludeModules);
  const target = includes(adapter);
  const inLayers = layerMatcher(adapter);
  return (name) => !excluded(name) && target(name) && inLayers(name);
}

function includes({ file, targetModules }: AdapterConfig): Matcher {
  if (typeof targetModules !== 'string') return byName(targetModules);
  if (targetModules.toLowerCase() === 'all-linear') return (name) => !OUTSIDE.includes(name);
  return fullMatch(file, 'target_modules', targetModules);
}

/** Whether a name is one of `keys`, or ends in "." and one of them. */
function byName(keys: readonly string[]): Matcher {
  return (name) => keys.some((key) => name === key || name.endsWith(`.${key}`));
}

function layerMatcher({ file, layersToTransform, layersPattern }: AdapterConfig): Matcher {
  if (!layersToTransform) return () => true;
  const patterns = (layersPattern.length > 0 ? layersPattern : ['[^.]*']).map((container) =>
    compile(file, 'layers_pattern', container, '^(?:|.*?\\.)', '\\.(?<layer>\\d+)\\.'),
  );
  return (name) => {
    const index = patterns
      .map((pattern) => pattern.exec(name)?.groups?.['layer'])
      .find((layer) => layer !== undefined);
    return index !== undefined && layersToTransform.includes(Number(index));
  };
}

/** The value of the first pattern whose key matches a module's whole name, or its end after a dot. */
function patternLookup(
  { file }: AdapterConfig,
  key: string,
  pattern: ReadonlyMap<string, number>,
  fallback: number,
): (name: string) => number {
  const rules = [...pattern].map(([source, value]) => ({
    matches: compile(file, key, source, '^(?:.*\\.)?', '$'),
    value,
  }));
  return (name) => rules.find(({ matches }) => matches.test(name))?.value ?? fallback;
}

function fullMatch(file: string, key: string, pattern: string): Matcher {
  const regex = compile(file, key, pattern, '^', '$');
  return (name) => regex.test(name);
}

/**
 * A Python regular expression as JavaScript's, between two texts of JavaScript's own: what is only written
 * differently is translated, what is unknown refused.
 */
function compile(file: string, key: string, pattern: string, before: string, after: string): RegExp {
  const translated = pattern
    .replaceAll('(?P<', '(?<')
    .replace(/\\([AZ])/g, (_, end) => (end === 'A' ? '^' : '$'));
  try {
    return new RegExp(`${before}(?:${translated})${after}`);
  } catch {
    throw new UserError(
      `${file}: ${key} is ${quote(pattern)}, expected a regular expression that JavaScript can read too; list the module names instead.`,
    );
  }
}
