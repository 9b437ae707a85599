import type { UseStore } from 'idb-keyval';
import { openDatabase } from './database.ts';
import { storageEstimate } from './quota.ts';

/** The part of the Storage Buckets API in use; Chrome has it since version 122. */
interface StorageBuckets {
  open(
    name: string,
    options: { durability: 'strict' },
  ): Promise<{ indexedDB: IDBFactory; persist(): Promise<boolean>; estimate(): Promise<StorageEstimate> }>;
  keys(): Promise<string[]>;
  delete(name: string): Promise<void>;
}

const BUCKET = 'second-copy';

/** Where the second copy of a database is kept, apart from the first. */
export interface BucketMirror {
  /** Undefined if the browser offers no second place. */
  open(): Promise<UseStore | undefined>;
  /** Frees everything it occupies. */
  remove(): Promise<void>;
}

const buckets = (): StorageBuckets | undefined =>
  (navigator as { storageBuckets?: StorageBuckets }).storageBuckets;

/** A storage bucket: its databases are in files separate from those of the page itself. */
export function bucketHome(name: string): BucketMirror {
  return {
    async open() {
      const bucket = await buckets()?.open(BUCKET, { durability: 'strict' });
      if (!bucket) {
        return undefined;
      }
      // Requests what the page was granted; the user sees no prompt.
      if ((await storageEstimate()).persistent) {
        await bucket.persist();
      }
      return openDatabase(name, { factory: bucket.indexedDB });
    },
    remove: async () => buckets()?.delete(BUCKET),
  };
}

/** Bytes used by the mirror. */
export async function bucketBytes(): Promise<number> {
  if (!(await buckets()?.keys())?.includes(BUCKET)) {
    return 0;
  }
  const { usage = 0 } = await (await buckets()!.open(BUCKET, { durability: 'strict' })).estimate();
  return usage;
}
