import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { defineConfig, type Plugin } from 'vite';
import { wgsl } from './shaders/vite-plugin.ts';
import { isRunning } from './src/cli/processes.ts';

const FOLDER = 'dist/cli';
const FILE = 'retune.js';

// The command line as one file for Node: the engine with its shaders inlined, packages left where npm put them.
export default defineConfig({
  publicDir: false,
  build: {
    ssr: 'src/cli/retune.ts',
    outDir: join(FOLDER, partial(process.pid)),
    target: 'node20',
    minify: false,
    rollupOptions: { output: { entryFileNames: FILE, codeSplitting: false, banner: '#!/usr/bin/env node' } },
  },
  plugins: [wgsl(), inPlace()],
});

/** Where a process builds. */
function partial(pid: number | string): string {
  return `.${pid}.partial`;
}

/**
 * Builds beside the place and renames: others may be running or building what is there, and what a killed build leaves
 * would look like a whole one. The file is as old as the beginning of its build, so that a source which changes
 * meanwhile is newer.
 */
function inPlace(): Plugin {
  let root = '';
  let begun = new Date();
  return {
    name: 'retune-in-place',
    configResolved(config) {
      root = config.root;
    },
    buildStart() {
      begun = new Date();
      const folder = join(root, FOLDER);
      for (const name of existsSync(folder) ? readdirSync(folder) : []) {
        const pid = /^\.(\d+)\.partial$/.exec(name)?.[1];
        if (pid !== undefined && !isRunning(Number(pid))) {
          rmSync(join(folder, name), { recursive: true });
        }
      }
    },
    writeBundle() {
      const folder = join(root, FOLDER, partial(process.pid));
      const built = join(folder, FILE);
      const file = openSync(built, 'r+');
      fsyncSync(file);
      closeSync(file);
      utimesSync(built, begun, begun);
      renameSync(built, join(root, FOLDER, FILE));
      rmSync(folder, { recursive: true });
    },
  };
}
