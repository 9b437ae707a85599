import type { UseStore } from 'idb-keyval';
import { answered, MINUTE, openDatabase } from './database.ts';
import { storageEstimate } from './quota.ts';
import { totalStoredBytes } from './stored-bytes.ts';

interface Bucket {
  indexedDB: IDBFactory;
  persist(): Promise<boolean>;
}

/** The part of the Storage Buckets API in use; Chrome has it since version 122. */
interface StorageBuckets {
  open(name: string, options: { durability: 'strict' }): Promise<Bucket>;
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
  // Held on to, since what its database has under way never ends once it is garbage.
  let factory: IDBFactory | undefined;
  const openBucket = async (): Promise<Bucket | undefined> => {
    const bucket = await buckets()?.open(BUCKET, { durability: 'strict' });
    factory = bucket?.indexedDB;
    return bucket;
  };
  return {
    async open() {
      const bucket = await openBucket();
      if (!bucket) {
        return undefined;
      }
      // Requests what the page was granted; the user sees no prompt.
      if ((await storageEstimate()).persistent) {
        await bucket.persist();
      }
      // Another tab may have removed the bucket meanwhile: then it is made anew.
      return openDatabase(name, {
        factory: async () => {
          await openBucket();
          return factory!;
        },
      });
    },
    remove: async () => buckets()?.delete(BUCKET),
  };
}

/** Bytes of what the mirror of a database holds, which is what the database itself holds. Throws DatabaseError. */
export function mirroredBytes(name: string): Promise<number> {
  return answered(async () => {
    if (!(await buckets()?.keys())?.includes(BUCKET)) {
      return 0;
    }
    const copy = await bucketHome(name).open();
    return copy ? totalStoredBytes(copy) : 0;
  }, MINUTE);
}
