import { counted } from '../formats/words.ts';
import type { Losses } from './losses.ts';
import type { Source } from './source.ts';

/** The last component of a path: a card may be published, so it should not reveal local folders. */
export const lastName = (path: string): string => path.split(/[/\\]/).findLast(Boolean) ?? path;

/** The name of the base, as the adapter has it; otherwise its folder's. */
export function baseName({ base, adapter }: Pick<Source, 'base' | 'adapter'>): string {
  const named = adapter.config.baseModelName ?? '';
  // A path on somebody's disk is no name.
  return /^[\w.-]+\/[\w.-]+$/.test(named) ? named : lastName(named) || lastName(base.folder.name);
}

/** What was merged onto what, as a sentence. */
function mergedOnto({ base, onto }: Pick<Source, 'base' | 'onto'>): string {
  if (base.quantized) {
    return 'the base was stored in 4 bits (NF4, bitsandbytes); its weights were decoded to f32 first, as training saw them';
  }
  return onto === 'nf4'
    ? 'the weights of the decoder layers were quantized to NF4 and back first, as training saw them'
    : 'the weights are those of the base, not their NF4 values that training saw';
}

/** Both losses in a sentence. */
export const lossesText = ({ trained, written }: Losses): string =>
  `eval_loss over ${counted(trained.rows, 'row')}: ${trained.loss.toFixed(4)} as trained, ${written.loss.toFixed(4)} as written`;

/** The README.md of a merged model. */
export function mergedCard(source: Source, losses?: Losses): string {
  const { base, adapter, baseHash, adapterHash, adapterFolder } = source;
  const name = baseName(source);
  const { r, loraAlpha } = adapter.config;
  return `---
base_model: ${JSON.stringify(name)}
base_model_relation: finetune
library_name: transformers
pipeline_tag: text-generation
tags:
- retune
---

# ${name} with ${lastName(adapterFolder.name)} merged into it

A LoRA adapter (r = ${r}, alpha = ${loraAlpha}) merged into its base by Retune: W + scaling · B · A in f32, rounded once. About W: ${mergedOnto(source)}.

| | |
|---|---|
| base | ${lastName(base.folder.name)}${baseHash === undefined ? '' : ` (SHA-256 ${baseHash})`} |
| adapter | ${lastName(adapterFolder.name)} (SHA-256 ${adapterHash}) |
${losses ? `\n${lossesText(losses)}: the adapter over the weights that training saw, and these weights.\n` : ''}`;
}
