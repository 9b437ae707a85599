import { recipeToYaml } from '../formats/recipe.ts';
import { stateBits } from '../formats/recipe/training.ts';
import type { LogEntry } from '../formats/trainer-state.ts';
import { showMoment } from '../text/moment.ts';
import { lineageLines } from './card-lineage.ts';
import type { Checkpoint, RunCursor } from './checkpoint/checkpoint.ts';
import type { Prepared } from './input/prepare.ts';

/** The adapter's README.md: what it is, what it was made from and how, and its losses. */
export function modelCard({ cursor, state }: Checkpoint, prepared: Prepared): string {
  const { inputs, train } = prepared;
  const best = inputs.recipe.training.loadBestModelAtEnd ? state.best_model_checkpoint : null;
  const facts = [
    ['date that the chat template writes', train.date && showMoment(train.date)],
    ['weights taken from', cursor.weightsFrom],
    ['the step with the best eval_loss', best === null ? undefined : state.best_global_step],
  ] as const;
  const by = `by Retune over the base in 4-bit NF4 with ${stateBits(inputs.recipe.training)}-bit AdamW`;
  return `${describe(prepared, cursor, { by, facts })}
## Losses

${lossTable(state.log_history)}
${recipeSection(inputs)}`;
}

/** The README.md of an adapter that another tool will make of these inputs, as far as it is known before. */
export function plannedCard(
  prepared: Prepared,
  cursor: Pick<RunCursor, 'identity' | 'prompt'>,
  by: string,
): string {
  return `${describe(prepared, cursor, { by, facts: [] })}
${recipeSection(prepared.inputs)}`;
}

/** Front matter, title and lineage. */
function describe(
  { inputs, adapter, model, train, evalRows, heldBack }: Prepared,
  { identity, prompt }: Pick<RunCursor, 'identity' | 'prompt'>,
  { by, facts }: { by: string; facts: readonly (readonly [string, string | number | null | undefined])[] },
): string {
  const base = adapter.config.baseModelName ?? inputs.recipe.model.name;
  const { r, loraAlpha } = adapter.config;
  const rows = `${train.rows.length} rows, ${train.stats.trainedTokens} trained tokens`;
  const held =
    heldBack && `${heldBack.rows} of the ${heldBack.of} rows above, held back (seed ${heldBack.seed})`;
  const validation = inputs.validation
    ? `${fileName(inputs.validation.name)}: ${evalRows.length} rows (SHA-256 ${identity.validation})`
    : (held ?? 'none');
  const source = inputs.source
    ? `${fileName(inputs.source.name)} (SHA-256 ${identity.source})`
    : 'none: a fresh adapter';
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

# LoRA adapter for ${base || model.config.family}

A LoRA adapter (r = ${r}, alpha = ${loraAlpha}), trained ${by}.

## Lineage

| | |
|---|---|
| base | ${base || 'unnamed'} (SHA-256 ${identity.base}) |
| continued from | ${source} |
| training data | ${fileName(inputs.train.name)}: ${rows} (SHA-256 ${identity.train}) |
| validation data | ${validation} |
| prompt form | ${prompt} |
${facts.map(([what, value]) => (value === undefined ? '' : `| ${what} | ${value} |\n`)).join('')}`;
}

const recipeSection = ({ recipe }: Prepared['inputs']): string => `## Recipe

\`\`\`yaml
${recipeToYaml(recipe).trimEnd()}
\`\`\`
`;

/** A path's last component: a card may be published, so it should not reveal local folders. */
const fileName = (path: string): string => path.split(/[/\\]/).findLast(Boolean) ?? path;

/** First and last entries of training and evaluation. */
function lossTable(history: readonly LogEntry[]): string {
  const row = ({ step, epoch }: LogEntry, what: string, loss: number) =>
    `| ${step} | ${epoch.toFixed(2)} | ${what} | ${loss.toFixed(4)} |\n`;
  const pick = (key: 'loss' | 'eval_loss') => {
    const entries = history.filter((entry) => entry[key] !== undefined);
    return [...new Set([entries[0], entries.at(-1)])].filter((entry) => entry !== undefined);
  };
  const lines = [
    ...pick('loss').map((entry) => row(entry, 'training loss', entry.loss!)),
    ...pick('eval_loss').map((entry) => row(entry, 'validation loss', entry.eval_loss!)),
  ];
  return `| step | epoch | | |\n|---|---|---|---|\n${lines.join('')}`;
}
