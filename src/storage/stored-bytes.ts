import { promisifyRequest, type UseStore } from 'idb-keyval';
import type { CheckpointManifest } from './browser-run-store.ts';

/** Whose an entry of the database is: a run's, a test's, or the device's, with the part of it. */
interface Owner {
  kind: 'run' | 'test' | 'device';
  id: string;
  part: string;
}

/** Bytes by part. */
type Parts = Map<string, number>;

/** The bytes of everything in a database, by what it belongs to. */
export interface StoredBytes {
  runs: Map<string, Parts>;
  tests: Map<string, Parts>;
  /** What was tuned for devices, and what tells tabs of one another. */
  device: number;
  /** Of keys that belong to none of these. */
  unknown: Parts;
}

/** What a run's and a test's folders are called where they are counted. */
const PARTS: Readonly<Record<string, string>> = { chats: 'conversations', corrected: 'corrections' };

/** Whose a key is; a format on disk, see run-keys.ts, run-records.ts, kept-inputs.ts and test-records.ts. */
function ownerOf(key: string): Owner | undefined {
  const [root, id = '', place = '', step = ''] = key.split('/');
  switch (root) {
    case 'record':
    case 'run-notes':
      return { kind: 'run', id, part: 'record' };
    case 'inputs':
      return { kind: 'run', id, part: 'copies of its inputs' };
    case 'run': {
      const ofCheckpoint = place === 'checkpoint' || place === 'manifest';
      return { kind: 'run', id, part: ofCheckpoint ? `checkpoint ${step}` : (PARTS[place] ?? place) };
    }
    case 'test-record':
      return { kind: 'test', id, part: 'record' };
    case 'test':
      return { kind: 'test', id, part: place === 'answer' ? 'answers' : (PARTS[place] ?? place) };
    case 'tuning':
    case 'active':
    case 'transaction':
      return { kind: 'device', id: '', part: '' };
    default:
      return undefined;
  }
}

/** Counts everything in a database: every key is of one of the four kinds. */
export async function storedBytes(store: UseStore): Promise<StoredBytes> {
  const found: StoredBytes = { runs: new Map(), tests: new Map(), device: 0, unknown: new Map() };
  for (const [key, bytes] of await bytesByKey(store)) {
    const owner = ownerOf(key);
    if (!owner) {
      add(found.unknown, key, bytes);
    } else if (owner.kind === 'device') {
      found.device += bytes;
    } else {
      const all = owner.kind === 'run' ? found.runs : found.tests;
      const parts = all.get(owner.id) ?? new Map<string, number>();
      all.set(owner.id, add(parts, owner.part, bytes));
    }
  }
  return found;
}

/** The bytes of everything in a database. */
export async function totalStoredBytes(store: UseStore): Promise<number> {
  return [...(await bytesByKey(store)).values()].reduce((sum, bytes) => sum + bytes, 0);
}

export const sumOf = (parts: Parts): number => [...parts.values()].reduce((sum, bytes) => sum + bytes, 0);

/** All keys of a run, or of a test, however little of it is left. */
export async function keysOwnedBy(store: UseStore, kind: Owner['kind'], id: string): Promise<string[]> {
  return (await allKeys(store)).filter((key) => {
    const owner = ownerOf(key);
    return owner?.kind === kind && owner.id === id;
  });
}

const allKeys = (store: UseStore): Promise<string[]> =>
  store('readonly', (objects) => promisifyRequest(objects.getAllKeys() as IDBRequest<string[]>));

/**
 * By key, with the key's own. Files of checkpoints are counted by their manifests: the browser frees no deleted file that
 * something still refers to, and an opened one may be for minutes.
 */
function bytesByKey(store: UseStore): Promise<Map<string, number>> {
  return store('readonly', async (objects) => {
    const keys = await promisifyRequest(objects.getAllKeys() as IDBRequest<string[]>);
    const told = new Map<string, number>();
    const bytes = new Map<string, number>();
    for (const key of keys.toSorted((a, b) => Number(isManifest(b)) - Number(isManifest(a)))) {
      const known = told.get(key);
      if (known !== undefined) {
        bytes.set(key, key.length + known);
        continue;
      }
      const value = await promisifyRequest(objects.get(key) as IDBRequest<unknown>);
      bytes.set(key, key.length + bytesOfValue(value));
      if (isManifest(key)) {
        const folder = key.replace('/manifest/', '/checkpoint/');
        for (const [file, size] of Object.entries((value as CheckpointManifest).files)) {
          told.set(`${folder}/${file}`, size);
        }
      }
    }
    return bytes;
  });
}

const isManifest = (key: string): boolean => /^run\/[^/]*\/manifest\//.test(key);

/** Bytes of a value that the database holds: of files their content, of the rest its JSON. */
export function bytesOfValue(value: unknown): number {
  let files = 0;
  const json = JSON.stringify(value, (_, part: unknown) => {
    if (part instanceof Blob) {
      files += part.size;
      return part instanceof File ? part.name : undefined;
    }
    return part instanceof Map ? [...part] : part;
  }) as string | undefined;
  return files + new TextEncoder().encode(json ?? '').length;
}

function add(parts: Parts, name: string, bytes: number): Parts {
  return parts.set(name, (parts.get(name) ?? 0) + bytes);
}
