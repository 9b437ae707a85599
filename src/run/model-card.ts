import type { AdapterConfig } from '../formats/adapter-config.ts';
import { type Recipe, recipeToYaml } from '../formats/recipe.ts';
import { stateBits } from '../formats/recipe/training.ts';
import { showChanges } from '../formats/row-changes.ts';
import type { LogEntry, TrainerState } from '../formats/trainer-state.ts';
import { showMoment } from '../text/moment.ts';
import { type CardFacts, cardFacts } from './card-facts.ts';
import { lineageLines } from './card-lineage.ts';
import type { RunCursor } from './checkpoint/checkpoint.ts';
import type { HeldBack } from './input/hold-back.ts';
import type { Prepared } from './input/prepare.ts';

/** What a card is written from. */
interface Described extends Pick<RunCursor, 'identity' | 'prompt' | 'card'> {
  recipe: Recipe;
  config: AdapterConfig;
  heldBack: HeldBack | undefined;
}

/** The adapter's README.md: what it is, what it was made from and how, and its losses. */
export function modelCard({
  cursor,
  state,
  recipe,
  config,
}: {
  cursor: RunCursor;
  state: TrainerState;
  recipe: Recipe;
  config: AdapterConfig;
}): string {
  const { card, taken, baseline, weightsFrom, plan } = cursor;
  const best = recipe.training.loadBestModelAtEnd && !taken ? state.best_model_checkpoint : null;
  const facts = [
    ['date that the chat template writes', card?.date && showMoment(card.date)],
    ['weights taken from', weightsFrom],
    ['the step with the best eval_loss', best === null ? undefined : state.best_global_step],
    ['taken at step', taken && `${cursor.step} of ${state.max_steps}`],
  ] as const;
  const by = `by Retune over the base in 4-bit NF4 with ${stateBits(recipe.training)}-bit AdamW`;
  return `${describe({ ...cursor, recipe, config, heldBack: plan.heldBack }, { by, facts })}
## Losses

${lossTable(state.log_history, baseline)}
${recipeSection(recipe)}`;
}

/** The README.md of an adapter that another tool will make of these inputs, as far as it is known before. */
export function plannedCard(
  prepared: Prepared,
  cursor: Pick<RunCursor, 'identity' | 'prompt'>,
  by: string,
): string {
  const { inputs, adapter, heldBack } = prepared;
  const { recipe } = inputs;
  const described = { ...cursor, card: cardFacts(prepared), recipe, config: adapter.config, heldBack };
  return `${describe(described, { by, facts: [] })}
${recipeSection(recipe)}`;
}

/** Front matter, title and lineage. */
function describe(
  { identity, prompt, card, recipe, config, heldBack }: Described,
  { by, facts }: { by: string; facts: readonly (readonly [string, string | number | null | undefined])[] },
): string {
  const base = config.baseModelName ?? recipe.model.name;
  const { r, loraAlpha } = config;
  const train =
    card && `${card.train.name}: ${card.train.rows} rows, ${card.train.trainedTokens} trained tokens`;
  const validation = card?.validation && `${card.validation.name}: ${card.validation.rows} rows`;
  const held =
    heldBack && `${heldBack.rows} of the ${heldBack.of} rows above, held back (seed ${heldBack.seed})`;
  return `---
base_model: ${JSON.stringify(base)}
library_name: peft
pipeline_tag: text-generation
tags:
- lora
- qlora
- retune
${lineageLines(identity)}
---

# LoRA adapter for ${base || (card?.family ?? 'its base')}

A LoRA adapter (r = ${r}, alpha = ${loraAlpha}), trained ${by}.

## Lineage

| | |
|---|---|
| base | ${base || 'unnamed'} (SHA-256 ${identity.base}) |
| continued from | ${identity.source === 'none' ? 'none: a fresh adapter' : withHash(card?.source, identity.source)} |
| training data | ${withHash(train, identity.train)} |
| validation data | ${held ?? (identity.validation === 'none' ? 'none' : withHash(validation, identity.validation))} |
${identity.changes === undefined ? '' : `| changes over the rows | ${withHash(card?.changes && changesLine(card.changes), identity.changes)} |\n`}| prompt form | ${prompt} |
${facts.map(([what, value]) => (value === undefined ? '' : `| ${what} | ${value} |\n`)).join('')}`;
}

/** "training data: 2 rows left out, 1 edited". */
const changesLine = ({ train, validation }: NonNullable<CardFacts['changes']>): string =>
  [
    ['training data', showChanges(train)],
    ['validation data', showChanges(validation)],
  ]
    .flatMap(([what, counts]) => (counts === undefined ? [] : [`${what}: ${counts}`]))
    .join('; ');

/** A checkpoint of an earlier version knows only the hash. */
const withHash = (what: string | undefined, hash: string): string =>
  what === undefined ? `SHA-256 ${hash}` : `${what} (SHA-256 ${hash})`;

const recipeSection = (recipe: Recipe): string => `## Recipe

\`\`\`yaml
${recipeToYaml(recipe).trimEnd()}
\`\`\`
`;

/** First and last entries of training and evaluation; `baseline`: the eval_loss before the first step. */
function lossTable(history: readonly LogEntry[], baseline: number | undefined): string {
  const row = ({ step, epoch }: LogEntry, what: string, loss: number) =>
    `| ${step} | ${epoch.toFixed(2)} | ${what} | ${loss.toFixed(4)} |\n`;
  const pick = (key: 'loss' | 'eval_loss') => {
    const entries = history.filter((entry) => entry[key] !== undefined);
    return [...new Set([entries[0], entries.at(-1)])].filter((entry) => entry !== undefined);
  };
  const lines = [
    ...pick('loss').map((entry) => row(entry, 'training loss', entry.loss!)),
    ...(baseline === undefined ? [] : [row({ step: 0, epoch: 0 }, 'validation loss', baseline)]),
    ...pick('eval_loss').map((entry) => row(entry, 'validation loss', entry.eval_loss!)),
  ];
  return `| step | epoch | | |\n|---|---|---|---|\n${lines.join('')}`;
}
