/** The stages of the page, by their names in addresses. */
const STAGES = ['choose', 'recipe', 'train', 'test', 'runs', 'use'] as const;

export type Stage = (typeof STAGES)[number];

/** Where the page is: a stage and, of what is open in it, the id. */
export interface PagePlace {
  stage: Stage;
  /** Of a run or a test. */
  id?: string | undefined;
  /** Of a run's checkpoint to use. */
  step?: number | undefined;
}

/** Characters of an address that are read at all. */
const MAX_ADDRESS = 300;

/** The place's fragment, such as "#runs/<id>"; empty for the start of the page. */
export function addressOf({ stage, id, step }: PagePlace): string {
  if (stage === 'choose') {
    return '';
  }
  const parts = [stage, id, step].filter((part) => part !== undefined);
  return `#${parts.map((part) => encodeURIComponent(part)).join('/')}`;
}

/** The place that a fragment names; undefined where it names none. */
export function placeAt(hash: string): PagePlace | undefined {
  if (hash.length > MAX_ADDRESS) {
    return undefined;
  }
  const [name = '', id, step, ...rest] = hash.replace(/^#/, '').split('/');
  const stage = STAGES.find((one) => one === (name || 'choose'));
  if (!stage || rest.length > 0) {
    return undefined;
  }
  switch (stage) {
    case 'choose':
    case 'recipe':
      return id === undefined ? { stage } : undefined;
    case 'use':
      return id && (step === undefined || /^\d{1,9}$/.test(step))
        ? { stage, id: decoded(id), step: step === undefined ? undefined : Number(step) }
        : undefined;
    default:
      return step === undefined ? { stage, id: id && decoded(id) } : undefined;
  }
}

/**
 * Whether `after` is the same place as `before`, which only knows more of itself by now: a run has ended, a test has
 * been kept, or the page was scrolled from one half of its first screen to the other.
 */
export function isSamePlace(before: PagePlace, after: PagePlace): boolean {
  const isSetup = ({ stage }: PagePlace) => stage === 'choose' || stage === 'recipe';
  if (isSetup(before) && isSetup(after)) {
    return true;
  }
  if (before.stage !== after.stage) {
    return false;
  }
  return after.stage === 'train'
    ? before.id === undefined || after.id === undefined || before.id === after.id
    : before.id === after.id && before.step === after.step;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // Whatever it was meant to be, nothing has this id.
    return part;
  }
}
