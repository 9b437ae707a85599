import { html, nothing } from 'lit';
import { ref } from 'lit/directives/ref.js';
import type { ShownRow } from '../../engine/protocol/rows.ts';
import { editRow, leaveOut, restoreRows, type RowChanges } from '../../formats/row-changes.ts';
import { UserError } from '../../formats/user-error.ts';
import { counted, showCount } from '../../formats/words.ts';
import { safeText } from '../shared/safe-text.ts';
import { rowText } from './row-text.ts';
import type { LookState, RowsLook } from './rows-look.ts';

interface RowState {
  unit: 'line' | 'row';
  leftOut: boolean;
  edited: boolean;
  cut: boolean;
  /** The earlier row with the same tokens. */
  sameAs: number | undefined;
  editing: LookState['editing'];
  locked: boolean;
  look: RowsLook;
}

/** A row with what can be done about it. */
export function rowItem(row: ShownRow, state: RowState) {
  const { unit, leftOut: isOut, edited, locked, look, editing } = state;
  const { place, length, trained, json } = row;
  const name = `${unit} ${showCount(place)}`;
  const change = (how: (changes: RowChanges) => RowChanges) => {
    const { changes } = look.state;
    if (changes) {
      void look.change(how(changes));
    }
  };
  const act = (what: string, onClick: () => void) =>
    html`<button type="button" ?disabled=${locked} aria-label="${what}: ${name}" @click=${onClick}>
      ${what}
    </button>`;
  return html`<li class=${isOut ? 'out' : ''}>
    <div class="row about">
      <span class="row small numbers"
        ><strong>${name}</strong>
        <span class="soft">${counted(length, 'token')}, ${showCount(trained)} trained</span>
        ${badges(row, state).map((text) => html`<span class="badge">${safeText(text)}</span>`)}</span
      >
      <span class="row">
        ${isOut ? act('Put back', () => change((c) => restoreRows(c, [place]))) : act('Leave out', () => change((c) => leaveOut(c, [place])))}
        ${json === undefined || editing ? nothing : act('Edit', () => look.edit({ place, text: json }))}
        ${edited ? act('As in the file', () => change((c) => restoreRows(c, [place]))) : nothing}
      </span>
    </div>
    ${editing ? editor(editing, name, look) : rowText(row.pieces, `Text of ${name}`)}
    ${row.hidden > 0 && !editing ? html`<p class="soft small">and ${counted(row.hidden, 'more character')}</p>` : nothing}
  </li>`;
}

const badges = ({ why }: ShownRow, { leftOut: isOut, edited, cut, sameAs, unit }: RowState): string[] =>
  [
    isOut && 'left out',
    edited && 'edited',
    why !== '' && `skipped: ${why}`,
    cut && why === '' && 'cut',
    sameAs !== undefined && `same as ${unit} ${showCount(sameAs)}`,
  ].filter((badge) => badge !== false);

function editor(editing: NonNullable<LookState['editing']>, name: string, look: RowsLook) {
  const { place, text, problem } = editing;
  const save = async (event: Event): Promise<void> => {
    const area = (event.target as HTMLElement).closest('li')!.querySelector('textarea')!;
    const { changes } = look.state;
    if (changes) {
      const refused = await saved(look, changes, place, area.value);
      look.edit(refused === undefined ? undefined : { place, text: area.value, problem: refused });
    }
  };
  return html`<textarea
      aria-label=${`Edit ${name}, as JSON`}
      aria-invalid=${problem !== undefined}
      aria-describedby=${`problem-${place}`}
      spellcheck="false"
      .value=${text}
      ${ref((area) => focusOnce(area))}
    ></textarea>
    ${problem === undefined ? nothing : html`<p class="problem small" role="alert" id=${`problem-${place}`}>${safeText(problem)}</p>`}
    <div class="row">
      <button type="button" @click=${save}>Take the edit</button>
      <button type="button" @click=${() => look.edit(undefined)}>Cancel</button>
      <span class="soft small">JSON, in the file’s own keys or columns</span>
    </div>`;
}

/** Resolves to why the text is no row of the file. */
async function saved(
  look: RowsLook,
  changes: RowChanges,
  place: number,
  text: string,
): Promise<string | undefined> {
  try {
    return await look.change(editRow(changes, place, text));
  } catch (error) {
    if (error instanceof UserError) {
      return error.message;
    }
    throw error;
  }
}

const focused = new WeakSet<Element>();

function focusOnce(area: Element | undefined): void {
  if (area && !focused.has(area)) {
    focused.add(area);
    queueMicrotask(() => (area as HTMLElement).focus());
  }
}
