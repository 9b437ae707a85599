import { counted, showCount } from '../formats/words.ts';
import type { Prepared } from '../run/input/prepare.ts';
import { launchConfig } from './launchers.ts';

/** The hand-over's README.md: the three commands, what each file is, and what stays the same. */
export function handoverReadme(
  { train, evalRows, grouping, maxSteps, adapter }: Prepared,
  { base, processes, start }: { base: string; processes: number; start: string },
): string {
  const { tokens, trainedTokens } = train.stats;
  const held = evalRows.length > 0 ? `, and ${counted(evalRows.length, 'row')} to evaluate on` : '';
  const where = base || 'BASE_FOLDER';
  const several = processes > 1;
  const notes = [
    'The rows are tokens already, with -100 as the label of what is not trained: no chat template or tokenizer has a say in them. The first token of a row is never a target.',
    `Rows come in Retune's order, shuffled by the seed, and a step is ${showCount(grouping.batch * grouping.accumulation)} of them. Processes share the micro-batches of a step, so that gradient_accumulation_steps is divided by their number; train.py refuses a number that does not divide it.`,
    'On GPUs the base is computed in bf16, or in f16 where there is no bf16, so that losses are near those of Retune, not the same.',
    ...(adapter.config.loraDropout > 0
      ? ["LoRA's dropout draws other masks than in Retune; losses differ accordingly."]
      : []),
    ...(evalRows.length > 0
      ? [
          'Where per_device_eval_batch_size is above 1, several processes fill the last batch up with rows from the start, which moves eval_loss a little.',
        ]
      : []),
    ...(several
      ? [
          'FSDP keeps the moments of AdamW in 32 bits, since those in 8 bits cannot be sharded. A base that is stored in 4 bits already is not sharded; hand over with the base in 16 bits.',
        ]
      : []),
    'axolotl.yaml is for one GPU; with several, divide gradient_accumulation_steps by hand. Its order of the rows is its own.',
  ];
  const files: [string, string][] = [
    ['train.py', 'the training, on transformers and PEFT'],
    ['handover.json', "the recipe as transformers' TrainingArguments"],
    ['rows/', 'token ids and labels (Parquet)'],
    ['adapter/', start],
    ['accelerate/one-gpu.yaml', 'one GPU'],
    ...(several
      ? ([
          ['accelerate/ddp.yaml', `${processes} GPUs, the whole base on each`],
          ['accelerate/fsdp-qlora.yaml', `${processes} GPUs, a part of the base on each (FSDP-QLoRA)`],
        ] as [string, string][])
      : []),
    ['slurm.sh', 'Slurm: `sbatch slurm.sh`'],
    ['skypilot.yaml', 'SkyPilot: `sky launch skypilot.yaml`'],
    ['axolotl.yaml', 'axolotl: `axolotl train axolotl.yaml`'],
    ['requirements.txt', 'the versions that this was tested with'],
    ['training_config.yaml', 'the recipe as Retune reads it'],
    ['card.md', "the beginning of the new adapter's README.md"],
  ];
  return `# A fine-tuning, handed over by Retune

${counted(train.rows.length, 'row')} of ${counted(tokens, 'token')}, ${showCount(trainedTokens)} of them trained${held}; ${counted(maxSteps, 'step')}, from ${start}.

\`\`\`sh
pip install -r requirements.txt
accelerate launch --config_file ${launchConfig(processes)} train.py --base ${where}
retune inspect output
\`\`\`

The first needs Python 3.10 or later, the second leaves the new adapter in \`output/\` (again with \`--resume\` if it was stopped), the third is back at home: \`output/\` is an adapter that \`retune finetune --source-model output\` continues, and that the page takes as V1.

| file | what |
|---|---|
${files.map(([file, what]) => `| \`${file}\` | ${what} |\n`).join('')}
## What stays the same, and what does not

${notes.map((note) => `- ${note}\n`).join('')}`;
}
