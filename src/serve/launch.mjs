// `npm start`: its source is TypeScript, which Vite runs as it builds it.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

process.chdir(join(dirname(fileURLToPath(import.meta.url)), '../..'));
const { module } = await runnerImport('./src/serve/start.ts');
process.exitCode = await module.start(process.argv.slice(2));
