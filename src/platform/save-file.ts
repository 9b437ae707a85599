import { Unzip, UnzipInflate } from 'fflate';

/** Hands a file to the browser's downloads. */
export function saveFile(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The download has its own hold on the bytes once it has begun; a minute is ample.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Unpacks a zip into a folder, piece by piece. */
export async function unpackInto(folder: FileSystemDirectoryHandle, zip: Blob): Promise<void> {
  let writing: Promise<unknown> = Promise.resolve();
  const unzip = new Unzip((file) => {
    if (file.name.endsWith('/')) return;
    const opened = createFile(folder, file.name);
    file.ondata = (error, bytes, final) => {
      writing = writing.then(async () => {
        if (error) throw error;
        const stream = await opened;
        await stream.write(bytes as Uint8Array<ArrayBuffer>);
        if (final) await stream.close();
      });
    };
    file.start();
  });
  unzip.register(UnzipInflate);
  const reader = zip.stream().getReader();
  for (;;) {
    const { done, value } = await reader.read();
    unzip.push(value ?? new Uint8Array(0), done);
    await writing;
    if (done) return;
  }
}

async function createFile(
  folder: FileSystemDirectoryHandle,
  path: string,
): Promise<FileSystemWritableFileStream> {
  const names = path.split('/');
  let place = folder;
  for (const name of names.slice(0, -1)) place = await place.getDirectoryHandle(name, { create: true });
  const file = await place.getFileHandle(names.at(-1)!, { create: true });
  return file.createWritable();
}
