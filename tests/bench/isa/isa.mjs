// npm run isa: what GPUs' own compilers make of the kernels. isa.ts says how.
import { runnerImport } from 'vite';

const { module } = await runnerImport('./tests/bench/isa/isa.ts');
process.exitCode = await module.main(process.argv.slice(2));
