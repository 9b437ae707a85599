import type { PlanFacts } from '../../engine/protocol/protocol.ts';
import { counted, showBytes } from '../../formats/words.ts';
import { ADVISORY_TITLES } from '../../run/checks/advisory.ts';
import type { Check } from '../elements/check-list.ts';
import type { AppState, ChoiceSlot } from '../shared/app-state.ts';
import { hasProblem } from '../shared/device-inputs.ts';
import { adapterName } from '../shared/version-names.ts';
import { relevantDrafts } from './choices.ts';
import { conflict } from './conflict.ts';
import { rowsToHoldOut } from './held-out.ts';
import { timeCheck } from './time-check.ts';

/** The check list before the start, in the order in which things are chosen. */
export function checks(state: AppState): Check[] {
  const { slots, fresh, runs } = state;
  return [
    slotCheck('Base model', slots.base, 'choose its folder', ''),
    fresh
      ? { state: 'good', title: 'New adapter', detail: 'Made from the recipe.' }
      : slotCheck(
          `Adapter ${adapterName(slots.source.chosen, runs)}`,
          slots.source,
          'choose its folder',
          'Fits the base.',
        ),
    slotCheck('New rows', slots.train, 'choose a file', ''),
    ...validationCheck(state),
    recipeCheck(state),
    deviceCheck(state),
    memoryCheck(state),
    ...spaceChecks(state),
    ...timeCheck(state),
    ...advisoryCheck(state),
  ];
}

function slotCheck(title: string, slot: ChoiceSlot<unknown, unknown>, todo: string, sound: string): Check {
  if (!slot.chosen) {
    return { state: 'todo', title, detail: `Still to do: ${todo}.` };
  }
  if (!slot.answer) {
    return { state: 'busy', title, detail: slot.reading ? 'Reading…' : 'Waiting for the base model.' };
  }
  if (!slot.answer.ok) {
    return { state: 'bad', title, detail: 'See its card.' };
  }
  return { state: 'good', title, detail: sound || undefined };
}

function validationCheck(state: AppState): Check[] {
  const title = 'Validation rows';
  const { validation } = state.slots;
  if (validation.chosen) {
    return [slotCheck(title, validation, '', '')];
  }
  const rows = state.holdOut && rowsToHoldOut(state);
  return rows ? [{ state: 'good', title, detail: `${counted(rows, 'new row')}, held out of training.` }] : [];
}

function recipeCheck(state: AppState): Check {
  const { drafts, fresh, plan } = state;
  const title = 'Recipe';
  const wrong = relevantDrafts(drafts, fresh);
  if (wrong.length > 0) {
    return { state: 'bad', title, detail: `Correct ${wrong.map((field) => field.label).join(', ')}.` };
  }
  const detail = conflict(state)?.sentence;
  if (detail !== undefined) {
    return { state: 'bad', title, detail };
  }
  return { state: 'good', title, detail: plan?.ok ? `${counted(plan.value.maxSteps, 'step')}.` : undefined };
}

function deviceCheck({ device }: AppState): Check {
  const title = 'GPU';
  if (!device) {
    return { state: 'busy', title, detail: 'Looking for it…' };
  }
  if (!device.ok) {
    return { state: 'bad', title, detail: 'See above.' };
  }
  const { name, software } = device.value;
  if (software) {
    return { state: 'warn', title, detail: `${name}: a software device, correct but very slow.` };
  }
  return { state: 'good', title, detail: name };
}

/** In nobody's way: what it is about stands beside it, with the buttons that mend it. */
function advisoryCheck({ advisories = [] }: AppState): Check[] {
  const titles = [...new Set(advisories.map(({ kind }) => ADVISORY_TITLES[kind]))];
  return titles.length === 0
    ? []
    : [{ state: 'warn', title: 'Worth a look', detail: `${titles.join(', ')}.`, more: 'advisories' }];
}

const LATER = { state: 'todo', detail: 'Known once the rest is chosen.' } as const;
const WORKING = { state: 'busy', detail: 'Calculating…' } as const;

function memoryCheck({ plan, planning, device, deviceInputs }: AppState): Check {
  const title = 'GPU memory';
  if (hasProblem(deviceInputs)) {
    return { state: 'bad', title, detail: 'Correct it under This device.' };
  }
  if (planning) {
    return { ...WORKING, title, cancel: 'plan' };
  }
  if (!plan) {
    return { ...LATER, title };
  }
  if (!plan.ok) {
    return { state: 'bad', title, detail: plan.sentence, again: 'plan' };
  }
  const { total, most } = plan.value;
  const more = most ? `, and up to ${showBytes(most)} of a GPU that has it free, to compute less twice` : '';
  const largest = device?.ok ? ` One buffer may hold ${showBytes(device.value.maxBufferBytes)}.` : '';
  return { state: 'good', title, detail: `Takes ${showBytes(total)} in all${more}.${largest}` };
}

function spaceChecks({ storage, plan, planning, persisted, deviceInputs }: AppState): Check[] {
  const title = 'Space for checkpoints';
  if (storage?.ok === false) {
    return [{ state: 'bad', title, detail: 'The browser stores none: see above.' }];
  }
  if (hasProblem(deviceInputs)) {
    return [];
  }
  if (planning) {
    return [{ ...WORKING, title }];
  }
  if (!plan) {
    return [{ ...LATER, title }];
  }
  if (!plan.ok) {
    return [];
  }
  if (!storage) {
    return [{ state: 'busy', title, detail: 'Checking whether the browser can store any…' }];
  }
  return [{ title, ...spaceCheck(plan.value, persisted) }];
}

/** What is left is the browser's round figure: too little is certain, enough is not. */
function spaceCheck(
  { checkpointBytes, checkpointsKept: kept, storageLeft }: PlanFacts,
  persisted: boolean | undefined,
): Pick<Check, 'state' | 'detail'> {
  // A new one is written before an old one goes, and one for rescue is kept beside them.
  const atOnce = kept + 2;
  const each = `up to ${atOnce} of ${showBytes(checkpointBytes)}`;
  if (storageLeft === undefined) {
    return { state: 'warn', detail: `For ${each}; the browser does not say how much it allows.` };
  }
  const allowed = showBytes(storageLeft);
  const advice = 'free disk space or delete earlier runs under Runs';
  if (storageLeft < 2 * checkpointBytes) {
    return { state: 'bad', detail: `For ${each}, and the browser allows only ${allowed} more; ${advice}.` };
  }
  if (storageLeft < atOnce * checkpointBytes) {
    return { state: 'warn', detail: `For ${each} the browser allows only ${allowed} more; ${advice}.` };
  }
  const cleared =
    persisted === false
      ? ' It may clear them when the disk is nearly full, and does so when a private window is closed.'
      : '';
  return {
    state: 'good',
    detail: `For ${each}. The browser allows about ${allowed} more, if the disk has it.${cleared}`,
  };
}
