// A process that saves through FolderStore and kills itself with SIGKILL half-way through the file of a given number.
// Arguments: output folder, file at which to die (from 0, counted over all saves).
import { appendFileSync } from 'node:fs';
import { createServer } from 'vite';

const [output, deadline] = process.argv.slice(2);
const server = await createServer({
  configFile: false,
  logLevel: 'error',
  appType: 'custom',
  server: { middlewareMode: true, watch: null, ws: false },
  optimizeDeps: { noDiscovery: true },
});
const { FolderStore } = await server.ssrLoadModule('/src/cli/folder-store.ts');
const { writeDurably } = await server.ssrLoadModule('/src/cli/durable-files.ts');

let files = 0;
async function write(path, chunks) {
  if (files++ === Number(deadline)) {
    appendFileSync(path, chunks[0]);
    process.kill(process.pid, 'SIGKILL');
  }
  await writeDurably(path, chunks);
}

/** Three files of two chunks each that show which save they are of. */
const contents = (number) =>
  Object.fromEntries(
    ['a.bin', 'b.bin', 'last.json'].map((name) => [
      name,
      [0, 1].map(() => new Uint8Array(70_000).fill(number)),
    ]),
  );

const store = await FolderStore.open(output, write);
for (const step of [1, 2, 2]) {
  await store.saveCheckpoint(step, contents(step + 10 * files));
}
await store.saveResult(contents(99), 'last.json');
process.exit(0);
