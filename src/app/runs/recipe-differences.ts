import type { RunNotes } from '../../engine/protocol/comparison.ts';
import type { RunRecord } from '../../engine/protocol/protocol.ts';
import type { Recipe } from '../../formats/recipe.ts';
import {
  RECIPE,
  RECIPE_GROUPS,
  type RecipeSection,
  type RecipeSetting,
  SEED,
} from '../../formats/recipe/settings.ts';
import { settingText } from '../shared/setting-text.ts';

/** One thing that two runs were told, side by side. */
interface ComparedSetting {
  name: string;
  /** Its key in training_config.yaml; undefined for what no recipe says. */
  key?: string | undefined;
  values: readonly [a: string, b: string];
  differs: boolean;
}

interface ComparedGroup {
  name: string;
  settings: readonly ComparedSetting[];
}

/** A run with the hashes of its inputs. */
interface Compared {
  record: Pick<RunRecord, 'inputs' | 'maxSteps' | 'recipe'>;
  hashes: Partial<RunNotes['hashes']> | undefined;
}

const INPUTS = [
  ['base', 'Base model'],
  ['source', 'Started from'],
  ['train', 'Training rows'],
  ['validation', 'Validation rows'],
] as const;

/** What two runs were trained on and by, in the order of the recipe's form. */
export function comparedRuns(a: Compared, b: Compared): ComparedGroup[] {
  const inputs = INPUTS.map(([part, name]) => compareInput(name, part, a, b));
  const steps = compare('Steps', undefined, String(a.record.maxSteps), String(b.record.maxSteps));
  const settings = recipeSettings();
  // An adapter that is continued brings what the others say of a new one.
  const isFresh = [a, b].some(({ record }) => record.inputs.source === undefined);
  const groups = RECIPE_GROUPS.filter((group) => isFresh || group !== 'New adapter').map((group) => ({
    name: group as string,
    settings: settings
      .filter(({ setting }) => setting.group === group)
      .map(({ setting, read }) => {
        const text = ({ record }: Compared) => settingText(setting, read(record.recipe));
        return compare(setting.label, setting.key, text(a), text(b));
      }),
  }));
  return [{ name: 'Run', settings: [...inputs, steps] }, ...groups];
}

function recipeSettings(): { setting: RecipeSetting; read(recipe: Recipe): unknown }[] {
  const sections = (Object.keys(RECIPE) as RecipeSection[]).flatMap((section) => {
    const table: Readonly<Record<string, RecipeSetting>> = RECIPE[section];
    return Object.entries(table).map(([property, setting]) => ({
      setting,
      read: (recipe: Recipe) =>
        (recipe[section] as Readonly<Record<string, unknown>>)[property] ?? setting.usual,
    }));
  });
  return [...sections, { setting: SEED, read: ({ seed }) => seed }];
}

const compare = (name: string, key: string | undefined, a: string, b: string): ComparedSetting => ({
  name,
  key,
  values: [a, b],
  differs: a !== b,
});

/** By content where that is known: the same name may be of another file, and another name of the same. */
function compareInput(
  name: string,
  part: (typeof INPUTS)[number][0],
  a: Compared,
  b: Compared,
): ComparedSetting {
  const [hashA, hashB] = [a.hashes?.[part], b.hashes?.[part]];
  const names = [a, b].map(({ record }) => record.inputs[part] ?? 'none') as [string, string];
  if (!hashA || !hashB) {
    return compare(name, undefined, ...names);
  }
  const differs = hashA !== hashB;
  const clash = differs && names[0] === names[1];
  const [textA, textB] = clash ? [hashA, hashB].map((hash, i) => `${names[i]} (${hash.slice(0, 8)})`) : names;
  return { name, values: [textA!, textB!], differs };
}
