// `npm run retune`: builds the command line where a source is newer than it, then runs it in this very process, so
// that signals and the exit code need no messenger.
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const built = join(root, 'dist/cli/retune.js');
const sources = ['src', 'shaders', 'vite.cli.config.ts', 'package-lock.json'];

/** The latest change under a path, in milliseconds; a folder's own counts too, since it shows what was removed. */
function changed(path) {
  const info = statSync(path);
  if (!info.isDirectory()) {
    return info.mtimeMs;
  }
  return Math.max(info.mtimeMs, ...readdirSync(path).map((name) => changed(join(path, name))));
}

function build() {
  const vite = join(root, 'node_modules/vite/bin/vite.js');
  const args = [vite, 'build', '--config', 'vite.cli.config.ts', '--logLevel', 'error'];
  const { status, signal } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (signal) {
    process.kill(process.pid, signal);
  }
  if (status !== 0) {
    process.exit(1);
  }
}

const builtAt = statSync(built, { throwIfNoEntry: false })?.mtimeMs ?? -Infinity;
if (sources.some((path) => changed(join(root, path)) >= builtAt)) {
  build();
}
await import(pathToFileURL(built));
