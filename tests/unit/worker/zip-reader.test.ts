import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { blobSource } from '../../../src/storage/blob-source.ts';
import { zipped } from '../../../src/worker/export.ts';
import { readZip } from '../../../src/worker/zip-reader.ts';
import { Random } from '../../support/random.ts';

const file = (bytes: Uint8Array, name = 'run.zip') => new File([bytes as Uint8Array<ArrayBuffer>], name);
const refusal = (what: string) =>
  `run.zip: ${what}; choose a zip that Retune has exported, or export it again.`;
const contents = async (zip: File) =>
  Object.fromEntries(
    await Promise.all(
      (await readZip(zip)).map(
        async ({ path, open }) => [path, new Uint8Array(await (await open()).arrayBuffer())] as const,
      ),
    ),
  );

describe('readZip', () => {
  const files = {
    'a/b.bin': new Random(7).bytes(70_000),
    'c.txt': new TextEncoder().encode('x'.repeat(5000)),
    'ö/': new Uint8Array(),
  };

  it('reads what Retune exports', async () => {
    const own = Object.entries(files)
      .filter(([path]) => !path.endsWith('/'))
      .map(([path, bytes]) => ({ path, source: blobSource(path, new Blob([bytes]), 'x') }));
    const blob = await zipped(own, new Date(2025, 1, 1));
    expect(await contents(new File([blob], 'run.zip'))).toEqual({
      'a/b.bin': files['a/b.bin'],
      'c.txt': files['c.txt'],
    });
  });

  it.each([0, 6] as const)('reads what other programs pack (level %i)', async (level) => {
    const found = await contents(file(zipSync(files, { level, comment: 'made elsewhere' })));
    expect(Object.keys(found)).toEqual(['a/b.bin', 'c.txt']);
    expect(found['a/b.bin']).toEqual(files['a/b.bin']);
    expect(found['c.txt']).toEqual(files['c.txt']);
  });

  it('refuses what is no zip, and one that is cut', async () => {
    await expect(readZip(file(new Random(9).bytes(3000)))).rejects.toThrow(
      refusal('this is not a zip file, or its end is missing'),
    );
    const zip = zipSync(files, { level: 0 });
    await expect(readZip(file(zip.slice(0, -40)))).rejects.toThrow('its end is missing');
    await expect(readZip(file(zip.slice(5000)))).rejects.toThrow('its directory');
  });

  it('refuses content that is not what the directory says', async () => {
    const zip = zipSync({ 'c.txt': files['c.txt'] }, { level: 6 });
    const view = new DataView(zip.buffer, zip.byteOffset);
    const directory = zip.findLastIndex(
      (_, i) => i + 4 <= zip.length && view.getUint32(i, true) === 0x02014b50,
    );
    view.setUint32(directory + 24, 100, true);
    await expect(contents(file(zip))).rejects.toThrow(refusal('c.txt in it is damaged'));
    view.setUint32(directory + 24, 5001, true);
    await expect(contents(file(zip))).rejects.toThrow(refusal('c.txt in it is damaged'));
    view.setUint16(directory + 10, 99, true);
    await expect(readZip(file(zip))).rejects.toThrow('c.txt in it is encrypted, or packed in another way');
  });
});
