import { expect, it } from 'vitest';
import { openBaseModel } from '../../../src/formats/base-model.ts';
import type { Folder } from '../../../src/formats/byte-source.ts';
import { openHeaderSnapshot, takeHeaderSnapshot } from '../../../src/model/base/cache/header-snapshot.ts';
import { fixtureFiles, joinBytes, memoryFolder } from '../../support/memory-folder.ts';

it('opens a base without its weights, the tables of an untied head included', async () => {
  const files = fixtureFiles('cases/untied_head/base');
  const model = await openBaseModel(memoryFolder('base', files));
  expect(model.config.tied).toBe(false);
  const kept = Object.fromEntries(
    Object.entries(await takeHeaderSnapshot(model)).map(([name, chunks]) => [name, joinBytes(chunks)]),
  );
  // The header, and none of the two tables of 57 KB that were compared.
  expect(kept['skeleton.bin']!.length).toBeLessThan(8000);

  const weights = await openHeaderSnapshot(memoryFolder('cache', kept), 'base');
  const opened = (known: Folder['known']) =>
    openBaseModel({
      name: 'base',
      known,
      list: () => Promise.resolve(Object.keys(files)),
      open: async (file) =>
        file === 'model.safetensors' ? weights(file) : memoryFolder('base', files).open(file),
    });
  const again = await opened({ tied: false });
  expect([again.config, again.notes]).toEqual([model.config, model.notes]);
  // Snapshots of earlier versions do not say it.
  await expect(opened({ tied: undefined })).rejects.toThrow(
    "base/model.safetensors: only its headers are in the cache, and its weights are needed; choose the base's folder again.",
  );
});
