// Compiles every pipeline for GPUs that are not there, by their real drivers' compilers over no-op kernels (Mesa's
// drm-shim), and writes what came out as JSON and as docs/ISA.md. Nothing is computed.
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { keptCompiled } from '../../../src/bench/compiled.ts';
import { MODELS } from '../../../src/bench/models.ts';
import { UserError } from '../../../src/formats/user-error.ts';
import { dumpsIn } from './dumps.ts';
import type { KernelResult, Results, TargetResult } from './results.ts';
import { DEFAULT_ROOT, Sandbox } from './sandbox.ts';
import { document } from './table.ts';
import { type Target, type TargetName, targetOf, TARGETS } from './targets.ts';

const HERE = './tests/bench/isa';
/** What is made on the way. */
const FOLDER = 'dist/isa';
const PROGRAM = 'dist/single/retune.mjs';

const USAGE = `npm run isa [-- options]
  --target NAME   one GPU, or several times: ${TARGETS.join(', ')}; default: all (an hour and more)
  --only REGEX    only pipelines whose label it fits; the others' figures stay as they are in the JSON
  --model NAME    shapes: ${MODELS.join(', ')} (1.5b)
  --root FOLDER   a Debian with mesa-drm-shim, made there if missing; default: this machine's, or ${DEFAULT_ROOT}
  --json FILE     figures, of earlier calls too (dist/isa/isa.json)
  --output FILE   the tables (docs/ISA.md)
  --figures FILE  what forecasts read of the figures, and keep of other GPUs (src/bench/compiled.json)
  --tables        compile nothing: write the tables and the figures from the JSON`;

const OPTIONS = {
  target: { type: 'string', multiple: true },
  only: { type: 'string' },
  model: { type: 'string', default: '1.5b' },
  root: { type: 'string' },
  json: { type: 'string', default: 'dist/isa/isa.json' },
  output: { type: 'string', default: 'docs/ISA.md' },
  figures: { type: 'string', default: 'src/bench/compiled.json' },
  tables: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** Runs the command; resolves to the exit code. */
export async function main(
  args: readonly string[],
  onError: (text: string) => void = console.error,
): Promise<number> {
  try {
    await run(parse(args));
    return 0;
  } catch (error) {
    if (!(error instanceof UserError)) {
      throw error;
    }
    onError(error.message);
    return 2;
  }
}

function parse(args: readonly string[]) {
  try {
    const { values } = parseArgs({ args: [...args], options: OPTIONS });
    const { target = TARGETS, model, only = '' } = values;
    const unknown = target.find((name) => !(TARGETS as readonly string[]).includes(name));
    if (unknown !== undefined) {
      throw new UserError(`--target ${unknown}: expected one of ${TARGETS.join(', ')}.`);
    }
    if (!(MODELS as readonly string[]).includes(model)) {
      throw new UserError(`--model ${model}: expected one of ${MODELS.join(', ')}.`);
    }
    return { ...values, only: pattern(only), targets: target as TargetName[] };
  } catch (error) {
    throw error instanceof UserError ? error : new UserError(`${(error as Error).message}\n${USAGE}`);
  }
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text, 'u');
  } catch {
    throw new UserError(
      `--only ${text}: not a regular expression; parentheses and the like need a backslash.`,
    );
  }
}

async function run(call: ReturnType<typeof parse>): Promise<void> {
  if (call.help) {
    console.log(USAGE);
    return;
  }
  const results = existsSync(call.json) ? (JSON.parse(readFileSync(call.json, 'utf8')) as Results) : {};
  if (!call.tables) {
    const sandbox = Sandbox.open(call.root, (text) => console.log(text));
    execFileSync(
      process.execPath,
      ['node_modules/vite/bin/vite.js', 'build', '--logLevel', 'warn', '--config', 'vite.single.config.ts'],
      { stdio: 'inherit' },
    );
    for (const name of call.targets) {
      const found = await compile(sandbox, targetOf(name), call);
      const { kernels = [], failed = [] } = results[name] ?? {};
      results[name] = {
        ...found,
        kernels: [...kernels.filter(({ label }) => !call.only.test(label)), ...found.kernels],
        // Each begins with a label; what does not compile at all fails whatever is asked for.
        failed: [...new Set([...failed.filter((text) => !call.only.test(text)), ...found.failed])],
      };
      save(call.json, `${JSON.stringify(results, null, 1)}\n`);
    }
  }
  const options = await resolveConfig(call.output);
  save(call.output, await format(document(results), { ...options, parser: 'markdown' }));
  const before = existsSync(call.figures) ? (JSON.parse(readFileSync(call.figures, 'utf8')) as object) : {};
  const figures = JSON.stringify({ ...before, ...keptCompiled(results) });
  save(call.figures, await format(figures, { ...(await resolveConfig(call.figures)), parser: 'json' }));
  console.log(`${call.json}, ${call.output}, ${call.figures}`);
}

function save(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** The model's pipelines and the peers. */
async function compile(
  sandbox: Sandbox,
  target: Target,
  { model, only }: ReturnType<typeof parse>,
): Promise<TargetResult> {
  const programs = [
    [PROGRAM, 'bench', '--section', 'compile', '--model', model],
    [`${HERE}/inside/peers.mjs`],
  ];
  // On NVIDIA's, opening a device compiles some at once, which mixes up what is printed of them: the last time counts.
  const kernels = new Map<string, KernelResult>();
  const failed: string[] = [];
  mkdirSync(FOLDER, { recursive: true });
  const dump = join(FOLDER, `${process.pid}.txt`);
  for (const program of programs) {
    console.log(`${target.target}: ${program[0]}`);
    const file = openSync(dump, 'w');
    const args = ['--import', `${HERE}/inside/announce.mjs`, ...program];
    const child = sandbox.node(target, { ISA_ONLY: only.source }, args, file);
    closeSync(file);
    let said = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (said += text));
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve);
    });
    failed.push(...said.split('\n').filter((line) => line.startsWith('peer: ')));
    const other: string[] = [];
    for await (const { label, lines } of dumpsIn(createReadStream(dump), target.restart, other)) {
      const facts = target.parse(lines);
      if (facts.registers === undefined) {
        failed.push(`${label}: the compiler printed nothing, as for code that it has compiled before`);
      } else {
        kernels.set(label, { label, ...facts });
      }
    }
    if (code !== 0) {
      throw new UserError(
        `${target.target}: ${program[0]} ended with ${code} under ${target.name}: ${other.slice(-5).join(' | ')}`,
      );
    }
  }
  rmSync(dump);
  return {
    date: new Date().toISOString().slice(0, 10),
    mesa: sandbox.mesa(),
    kernels: [...kernels.values()],
    failed,
  };
}
