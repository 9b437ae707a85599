/** Where headings are looked for: what has one of its own. */
const REGIONS = 'section, article, form, fieldset, dialog, main';
const HEADINGS = 'h2, h3, h4';
const CONTROLS = 'button:enabled, input:enabled, select:enabled, textarea:enabled, summary';

/**
 * Keeps the focus in place where what had it goes or is disabled: a control beside a disabled one takes it until that is
 * enabled again, and otherwise the nearest heading of what stays. Without it the focus falls to the body, and whoever uses
 * the keyboard or a screen reader begins at the top again. Chrome fires focusout for both.
 */
export class FocusKeeper {
  readonly #root: HTMLElement;
  readonly #otherwise: () => unknown;

  /** `otherwise` gives it to the page's own heading. */
  constructor(root: HTMLElement, otherwise: () => unknown) {
    this.#root = root;
    this.#otherwise = otherwise;
  }

  start(): void {
    this.#root.addEventListener('focusout', this.#follow);
  }

  stop(): void {
    this.#root.removeEventListener('focusout', this.#follow);
  }

  readonly #follow = (event: FocusEvent): void => {
    const path = event.composedPath();
    if (event.relatedTarget === null && document.hasFocus()) {
      // Whoever took it away may have a better place for it.
      requestAnimationFrame(() => requestAnimationFrame(() => this.#keep(path)));
    }
  };

  #keep(path: readonly EventTarget[]): void {
    const [lost] = path;
    if (!(lost instanceof HTMLElement) || isReachable(lost) || document.activeElement !== document.body) {
      return;
    }
    const beside = lost.isConnected ? controlBeside(lost) : undefined;
    const place = beside ?? headingAbove(path);
    if (!place) {
      this.#otherwise();
      return;
    }
    focus(place);
    if (lost.isConnected && lost.matches(':disabled')) {
      giveBack(lost, place);
    }
  }
}

const isReachable = (element: HTMLElement): boolean =>
  element.isConnected && !element.matches(':disabled') && element.checkVisibility();

function controlBeside(element: HTMLElement): HTMLElement | undefined {
  const found = element.parentElement?.querySelectorAll<HTMLElement>(CONTROLS) ?? [];
  return [...found].find((control) => isReachable(control));
}

/** The nearest heading, upwards from where the focus was. */
function headingAbove(path: readonly EventTarget[]): HTMLElement | undefined {
  for (const place of path) {
    const region = place instanceof ShadowRoot || (place instanceof HTMLElement && place.matches(REGIONS));
    if (!region || !(place as Node).isConnected) {
      continue;
    }
    const heading = [...place.querySelectorAll<HTMLElement>(HEADINGS)].find((one) => one.checkVisibility());
    if (heading) {
      return heading;
    }
  }
  return undefined;
}

function focus(place: HTMLElement): void {
  if (!place.matches(CONTROLS)) {
    place.tabIndex = -1;
  }
  place.focus({ preventScroll: true });
}

/** Returns the focus to a control that is enabled again, unless it has gone elsewhere meanwhile. */
function giveBack(control: HTMLElement, place: HTMLElement): void {
  const observer = new MutationObserver(() => {
    if (control.matches(':disabled')) {
      return;
    }
    stop();
    if ((place.getRootNode() as Document | ShadowRoot).activeElement === place && isReachable(control)) {
      control.focus({ preventScroll: true });
    }
  });
  const stop = (): void => {
    observer.disconnect();
    place.removeEventListener('blur', stop);
  };
  observer.observe(control, { attributeFilter: ['disabled'] });
  place.addEventListener('blur', stop, { once: true });
}
