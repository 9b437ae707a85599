/** Offers a file as a download. */
export function saveFile(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The download keeps its own reference to the bytes once it has started; a minute is ample.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
