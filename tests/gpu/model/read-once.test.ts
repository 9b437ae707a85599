import { expect, it } from 'vitest';
import { openBaseModel } from '../../../src/formats/base-model.ts';
import type { Folder } from '../../../src/formats/byte-source.ts';
import type { Recipe } from '../../../src/formats/recipe.ts';
import { UserError } from '../../../src/formats/user-error.ts';
import { baseHash } from '../../../src/model/base/read/content-hash.ts';
import { CURSOR } from '../../../src/run/checkpoint/checkpoint.ts';
import type { RunIdentity } from '../../../src/run/checkpoint/identity.ts';
import { fixtureBytes, fixtureFiles, memoryFolder } from '../../support/memory-folder.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import type { CaseName } from '../../support/model-case.ts';
import { caseInputs } from '../../support/run-case.ts';
import { runOnSharedDevice as run } from '../../support/shared-device.ts';

/** A folder that counts how often each byte of its weight files is read. */
function counting(folder: Folder) {
  const times = new Map<string, Uint8Array>();
  const counted: Folder = {
    name: folder.name,
    list: () => folder.list(),
    open: async (name) => {
      const file = await folder.open(name);
      if (!file || !name.endsWith('.safetensors')) {
        return file;
      }
      const counts = times.get(file.name) ?? new Uint8Array(file.size);
      times.set(file.name, counts);
      return {
        ...file,
        read: (begin, into) => {
          for (let i = 0; i < into.length; i++) {
            counts[begin + i]!++;
          }
          return file.read(begin, into);
        },
      };
    },
  };
  return { folder: counted, times };
}

/** The start of a run up to the compilation of its kernels: everything that a start reads has been read. */
async function begin(name: CaseName, base: Folder, store = new MemoryStore()) {
  const stop = new AbortController();
  const phases = new Set<string>();
  let identity: RunIdentity | undefined;
  let early: object | undefined;
  const stopped = run({
    inputs: { ...(await caseInputs(name)), base },
    store,
    signal: stop.signal,
    onInputs: async (told) => {
      // The caller may store these while the base is read.
      expect([identity, phases.has('loading the base')]).toEqual([undefined, false]);
      early = told;
    },
    onIdentity: async (told) => {
      identity = told;
    },
    emit: (event) => {
      if (event.type !== 'phase') {
        return;
      }
      phases.add(event.phase);
      if (event.phase === 'compiling kernels') {
        stop.abort('far enough');
      }
    },
  });
  await expect(stopped).rejects.toBe('far enough');
  return { phases, early, identity: identity! };
}

/** Where tensors begin in the base's files: headers are read to open them, too. */
async function dataBegins(folder: Folder): Promise<Map<string, number>> {
  const begins = new Map<string, number>();
  for (const { source, begin } of (await openBaseModel(folder)).tensors.values()) {
    begins.set(source.name, Math.min(begin, begins.get(source.name) ?? Infinity));
  }
  return begins;
}

it.each<CaseName>(['recipe_text', 'llama_sharded', 'prequant', 'dynamic'])(
  '%s: a first start reads every byte of the weights once, and knows the hash that reading them for it gives',
  async (name) => {
    const files = memoryFolder('base', fixtureFiles(`cases/${name}/base`));
    const { folder, times } = counting(files);
    const { phases, early, identity } = await begin(name, folder);
    expect({ ...early, base: identity.base }).toEqual(identity);
    expect([...phases]).not.toContain('hashing');
    expect(identity.base).toBe(await baseHash(await openBaseModel(files), () => undefined));
    const begins = await dataBegins(files);
    expect(times.size).toBe(begins.size);
    for (const [file, counts] of times) {
      const data = counts.subarray(begins.get(file));
      // Opening an NF4 base also reads the metadata of its tensors.
      const again = data.filter((count) => count === 2);
      expect([data.includes(0), again.length / data.length < 0.1], file).toEqual([false, true]);
      if (name !== 'prequant' && name !== 'dynamic') {
        expect(again).toHaveLength(0);
      }
    }
  },
);

it('a start over a finished run hashes the base first, and refuses another one before it is loaded', async () => {
  const files = fixtureFiles('cases/recipe_text/base');
  const { identity } = await begin('recipe_text', memoryFolder('base', files));
  const store = new MemoryStore();
  const finished = JSON.parse(new TextDecoder().decode(fixtureBytes('run/retune_state.json'))) as object;
  store.result[CURSOR] = new TextEncoder().encode(JSON.stringify({ ...finished, identity }));
  const weights = (files['model.safetensors'] as Uint8Array).slice();
  weights[weights.length - 5]! ^= 1;
  const other = memoryFolder('base', { ...files, 'model.safetensors': weights });
  const phases = new Set<string>();
  const again = run({
    inputs: { ...(await caseInputs('recipe_text')), base: other },
    store,
    openGpu: () => Promise.reject(new Error('the device was opened')),
    emit: (event) => event.type === 'phase' && phases.add(event.phase),
  });
  const then = identity.base.slice(0, 12);
  await expect(again).rejects.toThrow(`changed the base model (SHA-256 ${then}… then, `);
  expect(phases).toContain('hashing');
});

it('a resume whose cache does not know the base reads it once, and checks it before the first step', async () => {
  const name = 'batch2';
  const once = (r: Recipe): Recipe => ({
    ...r,
    training: { ...r.training, epochs: 1, saveSteps: 1, evalSteps: 100 },
  });
  const inputs = await caseInputs(name, once);
  const store = new MemoryStore();
  const first = new AbortController();
  const { status, step } = await run({
    inputs,
    store,
    signal: first.signal,
    emit: ({ type }) => type === 'checkpoint' && first.abort('enough'),
  });
  expect([status, step, ...store.saved.keys()]).toEqual(['stopped', 1, 1]);

  const rows = run({
    inputs: { ...inputs, train: inputs.validation! },
    store,
    openGpu: () => Promise.reject(new Error('the device was opened')),
  });
  await expect(rows).rejects.toThrow('changed the training data (SHA-256');

  const resume = async (base: Folder) => {
    const stop = new AbortController();
    const phases: string[] = [];
    let told = false;
    const error: unknown = await run({
      inputs: { ...inputs, base },
      store,
      signal: stop.signal,
      onIdentity: async () => void (told = true),
      emit: (event) => {
        phases.push(event.type === 'phase' ? event.phase : event.type);
        if (event.type === 'phase' && event.phase === 'compiling kernels') {
          stop.abort('far enough');
        }
      },
    }).catch((e: unknown) => e);
    return { error: String(error), told, phases };
  };
  const files = fixtureFiles(`cases/${name}/base`);
  const weights = (files['model.safetensors'] as Uint8Array).slice();
  weights[weights.length - 5]! ^= 1;
  const other = await resume(memoryFolder('base', { ...files, 'model.safetensors': weights }));
  expect(other.error).toMatch(/the unfinished run there was .* changed the base model \(SHA-256/);
  expect([other.told, other.phases.includes('loading the base')]).toEqual([false, true]);
  expect(other.phases).not.toContain('step');

  const { folder, times } = counting(memoryFolder('base', files));
  const { error, told, phases } = await resume(folder);
  expect([error, told, phases.includes('hashing')]).toEqual(['far enough', true, false]);
  const begins = await dataBegins(memoryFolder('base', files));
  expect(times.size).toBe(begins.size);
  for (const [file, counts] of times) {
    expect(new Set(counts.subarray(begins.get(file))), file).toEqual(new Set([1]));
  }
});

it('a first start that is stopped, or cannot read on, while it loads tells no identity and leaves nothing', async () => {
  const files = memoryFolder('base', fixtureFiles('cases/recipe_text/base'));
  const begins = await dataBegins(files);
  const gone: Folder = {
    ...files,
    open: async (name) => {
      const file = await files.open(name);
      const begin = file && begins.get(file.name);
      if (begin === undefined) {
        return file;
      }
      return {
        ...file!,
        read: (at, into) =>
          at + into.length > begin + 1000
            ? Promise.reject(new UserError(`${name}: ended at byte ${begin + 1000}.`))
            : file!.read(at, into),
      };
    },
  };
  const start = async (base: Folder, stop: AbortController) => {
    const store = new MemoryStore();
    let told = false;
    const error = await run({
      inputs: { ...(await caseInputs('recipe_text')), base },
      store,
      signal: stop.signal,
      onIdentity: async () => void (told = true),
      emit: (event) => {
        if (event.type === 'phase' && event.phase === 'loading the base' && base === files) {
          stop.abort('enough');
        }
      },
    }).catch((e: unknown) => e);
    expect([told, store.saved.size, Object.keys(store.result)]).toEqual([false, 0, []]);
    return error;
  };
  expect(await start(files, new AbortController())).toBe('enough');
  expect(String(await start(gone, new AbortController()))).toMatch(/model\.safetensors: ended at byte/);
});
