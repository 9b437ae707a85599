/**
 * Copies text in answer to a click; false where the browser refuses. Not through navigator.clipboard: the page's
 * headers refuse that to all scripts (security-headers.ts), and this works only while a click is handled.
 */
export function copyText(text: string): boolean {
  let copied = false;
  const give = (event: ClipboardEvent): void => {
    event.clipboardData?.setData('text/plain', text);
    event.preventDefault();
    event.stopImmediatePropagation();
    copied = true;
  };
  addEventListener('copy', give, { capture: true });
  try {
    return document.execCommand('copy') && copied;
  } finally {
    removeEventListener('copy', give, { capture: true });
  }
}
