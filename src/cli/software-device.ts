import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { type Command, Option } from 'commander';
import { bringSoftware, type Machine } from './bring-software.ts';
import type { Display } from './display.ts';
import { interrupt } from './interrupt.ts';
import { findSoftwareVulkan, hasWholeBrowser, softwareFolder } from './software-vulkan.ts';
import { fetchSwiftShader } from './swiftshader-package.ts';

export interface SoftwareOptions {
  software?: boolean;
  yes?: boolean;
}

/** What happens where there is no hardware GPU. */
export interface SoftwareFallback {
  /** Whether a software device may be used. */
  allowed: boolean;
  /** Brings one if there is none. Throws UserError. */
  bring?: () => Promise<void>;
}

/** Gives a command that computes the options for a machine without a hardware GPU. */
export const addSoftwareOptions = (command: Command): Command =>
  command
    .option('--software', 'where there is no hardware GPU, compute on the CPU: correct, but very slow')
    .addOption(yesOption());

export const yesOption = (): Option =>
  new Option('--yes', 'download a software device without asking, where it is needed');

/**
 * The options of the demo and the example, whose bases are tiny: a software device will do, and it is downloaded with
 * a word about it where nobody can be asked.
 */
export const forBundled = (yes = false): string[] =>
  yes || !isInteractive() ? ['--software', '--yes'] : ['--software'];

/**
 * The fallback that a command line asks for. RETUNE_SOFTWARE_GPU stands for --software: "1" uses the software device
 * even where there is a GPU, "allow" only where there is none.
 */
export function softwareFallback(
  { software = false, yes = false }: SoftwareOptions,
  display: Display,
): SoftwareFallback {
  const machine: Machine = {
    ...thisMachine,
    consents: async (offer) => yes || (isInteractive() && (await ask(offer, display))),
    say: (text) => display.line(text),
  };
  return {
    allowed: software || ['1', 'allow'].includes(process.env.RETUNE_SOFTWARE_GPU ?? ''),
    bring: () => bringSoftware('device', machine),
  };
}

const isInteractive = (): boolean => process.stdin.isTTY && process.stdout.isTTY;

/** Enter means yes. */
async function ask(offer: string, display: Display): Promise<boolean> {
  display.close();
  display.line('No hardware GPU was found. Retune can compute on the CPU, correctly but very slowly.');
  // The terminal's own editing leaves Ctrl-C a signal.
  const lines = createInterface({ input: process.stdin, output: process.stdout, terminal: false });
  try {
    const answer = await lines.question(`${offer}? [Y/n] `, { signal: interrupt.signal });
    return /^\s*(y|yes)?\s*$/i.test(answer);
  } catch (error) {
    if (interrupt.signal.aborted) {
      throw interrupt.signal.reason;
    }
    throw error;
  } finally {
    lines.close();
  }
}

const onLinux = process.platform === 'linux';
const hasApt = onLinux && existsSync('/usr/bin/apt-get');

/** npm as this process was started by it, otherwise the one on the path. */
const npm = (): string[] =>
  basename(process.env.npm_execpath ?? '') === 'npm-cli.js'
    ? [process.execPath, process.env.npm_execpath!]
    : ['npm'];

export const thisMachine: Omit<Machine, 'consents' | 'say'> = {
  platform: process.platform,
  arch: process.arch,
  hasApt,
  mayUseApt: hasApt && process.getuid?.() === 0,
  folder: softwareFolder(),
  has: (need) => (need === 'device' ? findSoftwareVulkan() !== undefined : hasWholeBrowser()),
  run: (command, env) =>
    runProgram(command[0] === 'npm' ? [...npm(), ...command.slice(1)] : command, {
      // apt's many lines about one failure are one reason.
      stdio: command[0] === 'npm' ? 'inherit' : 'pipe',
      env: { DEBIAN_FRONTEND: 'noninteractive', ...env },
    }),
  fetchSwiftShader: (folder) =>
    fetchSwiftShader(folder, npm(), (cwd, command) => runProgram(command, { cwd, stdio: 'pipe' })),
};

/** Runs a program; throws an Error with the first line it wrote on stderr, or its exit code. */
function runProgram(
  [program, ...args]: readonly string[],
  { stdio, cwd, env }: { stdio: 'inherit' | 'pipe'; cwd?: string; env?: NodeJS.ProcessEnv },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program!, args, {
      cwd,
      env: { ...process.env, ...env },
      signal: interrupt.signal,
      // npm is a script on Windows.
      shell: process.platform === 'win32' && program === 'npm',
      stdio: ['ignore', stdio === 'pipe' ? 'ignore' : stdio, stdio],
    });
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code, signal) =>
      code === 0 ? resolve() : reject(new Error(reasonOf(said) ?? `it ended with ${code ?? signal}`)),
    );
  });
}

/** The line of npm's or apt's that says most, without its mark. */
function reasonOf(said: string): string | undefined {
  const lines = said
    .split('\n')
    .map((line) => line.replace(/^(npm (error|ERR!)|[WE]:) /, '').trim())
    .filter((line) => line !== '');
  const rank = [/\b(failed|Failed|failure)\b/, /\bE[A-Z_]{4,}\b|\bE\d{3}\b/];
  return rank.map((form) => lines.find((line) => form.test(line))).find(Boolean) ?? lines[0];
}
