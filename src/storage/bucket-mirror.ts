import type { UseStore } from 'idb-keyval';
import { openDatabase } from './database.ts';
import { storageEstimate } from './quota.ts';

/** The part of the Storage Buckets API that is used here; Chrome has it from version 122. */
interface StorageBuckets {
  open(
    name: string,
    options: { durability: 'strict' },
  ): Promise<{ indexedDB: IDBFactory; persist(): Promise<boolean>; estimate(): Promise<StorageEstimate> }>;
  keys(): Promise<string[]>;
  delete(name: string): Promise<void>;
}

const BUCKET = 'second-copy';

/** Where the second copy of a database lives, apart from the first. */
export interface BucketMirror {
  /** undefined where the browser offers no second home. */
  open(): Promise<UseStore | undefined>;
  /** Frees all that it takes up. */
  remove(): Promise<void>;
}

const buckets = (): StorageBuckets | undefined =>
  (navigator as { storageBuckets?: StorageBuckets }).storageBuckets;

/** A storage bucket: its databases are in files of their own, apart from those of the page itself. */
export function bucketHome(name: string): BucketMirror {
  return {
    async open() {
      const bucket = await buckets()?.open(BUCKET, { durability: 'strict' });
      if (!bucket) return undefined;
      // What was granted for the page is asked for here as well; nobody sees a question.
      if ((await storageEstimate()).persistent) await bucket.persist();
      return openDatabase(name, { factory: bucket.indexedDB });
    },
    remove: async () => buckets()?.delete(BUCKET),
  };
}

/** Bytes of what is in the second home. */
export async function bucketBytes(): Promise<number> {
  if (!(await buckets()?.keys())?.includes(BUCKET)) return 0;
  const { usage = 0 } = await (await buckets()!.open(BUCKET, { durability: 'strict' })).estimate();
  return usage;
}
