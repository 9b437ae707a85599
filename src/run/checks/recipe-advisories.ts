import type { Adapter } from '../../formats/adapter.ts';
import type { DecoderConfig } from '../../formats/decoder-config.ts';
import { PROJECTIONS } from '../../formats/decoder-weights.ts';
import { unmatchedTargets } from '../../formats/lora-modules.ts';
import { quote } from '../../formats/quote.ts';
import { RECIPE, type TrainingSettings } from '../../formats/recipe/settings.ts';
import { counted, showCount } from '../../formats/words.ts';
import { type Grouping, warmupSteps } from '../../train/schedule.ts';
import { type Advisory, setting } from './advisory.ts';

const { training: TRAINING, lora: LORA } = RECIPE;

/**
 * The best learning rate of LoRA by J. Schulman et al., "LoRA Without Regret" (Thinking Machines, 2025): ten times that
 * of full fine-tuning, falling with the width of the model. The recipe's own is a tenth of it.
 */
const bestRate = (width: number): number => 5e-4 * (2000 / width) ** 0.781;
/** How many times the best rate may be before it is far outside, and what part of it. */
const FAR_ABOVE = 5;
const FAR_BELOW = 1 / 500;
/** To continue an adapter, as the recipe has it; a new one as in QLoRA (arXiv:2305.14314) for models of this size. */
const RATES = { continued: TRAINING.learningRate.default, fresh: 2e-4 };

/** A learning rate far outside what LoRA bears. */
export function learningRateAdvisory(
  { learningRate: rate }: Pick<TrainingSettings, 'learningRate'>,
  { hiddenSize }: Pick<DecoderConfig, 'hiddenSize'>,
  fresh: boolean,
): Advisory | undefined {
  const best = bestRate(hiddenSize);
  const high = rate > FAR_ABOVE * best;
  if (!high && rate >= FAR_BELOW * best) {
    return undefined;
  }
  const recommended = RATES[fresh ? 'fresh' : 'continued'];
  const what = high
    ? 'so high that the loss is likely to rise or to stop being a number'
    : 'so low that the adapter hardly changes';
  const usual = `${showRate(FAR_BELOW * 10 * best)} to ${showRate(best)}`;
  return {
    kind: 'learning-rate',
    found: `${TRAINING.learningRate.key} is ${showRate(rate)}, ${what}: for LoRA on a model of this width (${showCount(hiddenSize)}) ${usual} is usual`,
    remedies: [
      {
        kind: 'set',
        settings: setting(TRAINING.learningRate, recommended),
        label: `set ${TRAINING.learningRate.key} to ${showRate(recommended)}`,
      },
    ],
  };
}

/** "5e-5", "1.5e-3", "0.02". */
const showRate = (rate: number): string =>
  rate >= 0.01 ? String(Number(rate.toPrecision(2))) : Number(rate.toPrecision(2)).toExponential();

/** The share of all steps that a schedule is given to warm up. */
const WARMUP = 0.05;

/** A schedule that ends before it has warmed up. */
export function warmupAdvisory(training: TrainingSettings, maxSteps: number): Advisory | undefined {
  const warmup = warmupSteps(maxSteps, training);
  if (training.schedule === 'constant' || warmup < maxSteps || warmup === 0) {
    return undefined;
  }
  const { warmupSteps: steps = 0, warmupRatio: ratio = 0 } = training;
  const key =
    steps > 0 ? `${TRAINING.warmupSteps.key} is ${steps}` : `${TRAINING.warmupRatio.key} is ${ratio}`;
  const peak = (training.learningRate * (maxSteps - 1)) / warmup;
  return {
    kind: 'warmup',
    found: `${key} and the run has ${counted(maxSteps, 'step')}, so that it ends before the learning rate has warmed up: it reaches ${peak === 0 ? '0' : showRate(peak)} of ${showRate(training.learningRate)}`,
    remedies: [
      {
        kind: 'set',
        settings: { ...setting(TRAINING.warmupSteps, 0), ...setting(TRAINING.warmupRatio, WARMUP) },
        label: `set ${TRAINING.warmupSteps.key} to 0 and ${TRAINING.warmupRatio.key} to ${WARMUP}`,
      },
    ],
  };
}

/** Steps that an epoch should at least have. */
const STEPS = 4;

/** An epoch shorter than one optimizer step. */
export function shortEpochAdvisory({ rows, batch, accumulation }: Grouping): Advisory | undefined {
  if (rows >= batch * accumulation) {
    return undefined;
  }
  const smaller = Math.min(batch, Math.max(1, Math.floor(rows / STEPS)));
  const fewer = Math.max(1, Math.min(accumulation, Math.floor(rows / smaller / STEPS)));
  const settings = {
    ...(smaller < batch && setting(TRAINING.batchSize, smaller)),
    ...(fewer < accumulation && setting(TRAINING.accumulationSteps, fewer)),
  };
  const label = Object.entries(settings).map(([key, value]) => `${key} to ${String(value)}`);
  return {
    kind: 'short-epoch',
    found: `an epoch is shorter than one optimizer step: ${counted(rows, 'row')} to train on, and a step takes ${showCount(batch * accumulation)} (${TRAINING.batchSize.key} ${batch} × ${TRAINING.accumulationSteps.key} ${accumulation})`,
    remedies: label.length === 0 ? [] : [{ kind: 'set', settings, label: `set ${label.join(' and ')}` }],
  };
}

/** Names in target_modules that no module of the base has; PEFT passes over them in silence too. */
export function modulesAdvisory(
  { config }: Pick<Adapter, 'config'>,
  decoder: DecoderConfig,
  fresh: boolean,
): Advisory | undefined {
  const { targetModules } = config;
  const missing = unmatchedTargets(config, decoder);
  if (missing.length === 0 || typeof targetModules === 'string') {
    return undefined;
  }
  const rest = targetModules.filter((name) => !missing.includes(name));
  const named = missing.slice(0, 5).map((name) => quote(name));
  if (missing.length > named.length) {
    named.push(`${missing.length - named.length} more`);
  }
  const so = fresh ? 'so that the adapter is smaller than asked for' : 'so that the adapter has none';
  return {
    kind: 'modules',
    found: `${fresh ? LORA.targetModules.key : `${config.file}: target_modules`} has ${named.join(', ')}, which no module of the base is called (they are ${PROJECTIONS.join(', ')}), ${so}`,
    remedies: fresh
      ? [
          {
            kind: 'set',
            settings: setting(LORA.targetModules, rest),
            label: `set ${LORA.targetModules.key} to ${rest.join(', ')}`,
          },
        ]
      : [],
  };
}
