import { html, type TemplateResult } from 'lit';
import { visiblePieces } from '../../formats/visible-text.ts';

/** Text from files and models as plain text, with hidden characters shown by name. */
export const safeText = (text: string): (TemplateResult | string)[] =>
  visiblePieces(text).map((piece) =>
    piece.hidden ? html`<span class="hidden-character">${piece.text}</span>` : piece.text,
  );
