import { type Zippable, zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { zipped } from '../../../src/engine/runs/export.ts';
import { blobSource } from '../../../src/formats/blob-source.ts';
import { UserError } from '../../../src/formats/user-error.ts';
import { readZip } from '../../../src/formats/zip/reader.ts';
import { Random } from '../../support/random.ts';

const file = (bytes: Uint8Array, name = 'run.zip') => new File([bytes as Uint8Array<ArrayBuffer>], name);
const REMEDY = 'choose a zip that Retune has exported, or export it again';
const refusal = (what: string) => `run.zip: ${what}; ${REMEDY}.`;
const LIMITS = { entries: 100, path: 50, bytes: 1e6 };
const contents = async (zip: File) =>
  Object.fromEntries(
    await Promise.all(
      (await readZip(zip, LIMITS, REMEDY)).map(
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
    await expect(readZip(file(new Random(9).bytes(3000)), LIMITS, REMEDY)).rejects.toThrow(
      refusal('this is not a zip file, or its end is missing'),
    );
    const zip = zipSync(files, { level: 0 });
    await expect(readZip(file(zip.slice(0, -40)), LIMITS, REMEDY)).rejects.toThrow('its end is missing');
    await expect(readZip(file(zip.slice(5000)), LIMITS, REMEDY)).rejects.toThrow('its directory');
  });

  it('refuses content that is not what the directory says', async () => {
    const { zip, set } = patched({ 'c.txt': files['c.txt'] }, 6);
    set(24, 100);
    await expect(contents(file(zip))).rejects.toThrow(refusal('c.txt in it is damaged'));
    set(24, 5001);
    await expect(contents(file(zip))).rejects.toThrow(refusal('c.txt in it is damaged'));
    set(10, 99, 2);
    await expect(readZip(file(zip), LIMITS, REMEDY)).rejects.toThrow(
      'c.txt in it is encrypted, or packed in another way',
    );
  });

  it.each([0, 6] as const)('compares what it reads with its CRC-32 (level %i)', async (level) => {
    const { zip, set } = patched({ 'c.txt': files['c.txt'] }, level);
    set(16, 12345);
    await expect(contents(file(zip))).rejects.toThrow(refusal('c.txt in it is damaged'));
    for (const at of [40, 45, 50]) {
      const changed = zipSync({ 'c.txt': files['c.txt'] }, { level });
      changed[at]! ^= 1;
      await expect(contents(file(changed)), `byte ${at}`).rejects.toThrow(refusal('c.txt in it is damaged'));
    }
  });

  it('refuses a local header that is not as the directory says, and what encryption hides', async () => {
    const { zip, set } = patched({ 'c.txt': files['c.txt'] }, 0);
    zip[30] = 'd'.charCodeAt(0);
    await expect(contents(file(zip))).rejects.toThrow(refusal('c.txt in it is damaged'));
    zip[30] = 'c'.charCodeAt(0);
    zip[8] = 8;
    await expect(contents(file(zip))).rejects.toThrow(refusal('c.txt in it is damaged'));
    set(8, 1, 2);
    await expect(readZip(file(zip), LIMITS, REMEDY)).rejects.toThrow('c.txt in it is encrypted');
  });

  it('refuses files that share bytes or a name', async () => {
    const { zip, set, at } = patched({ 'a.txt': files['c.txt'], 'b.txt': files['c.txt'] }, 0);
    // The second entry, whose header is said to be the first's.
    set(at(1) + 42 - at(0), 0);
    await expect(readZip(file(zip), LIMITS, REMEDY)).rejects.toThrow(
      refusal('a.txt in it is cut off, or overlaps with another file'),
    );
    const twice = zipSync({ 'a.txt': files['c.txt'], 'b.txt': files['c.txt'] }, { level: 0 });
    for (let i = 0; i + 5 <= twice.length; i++) {
      if (new TextDecoder().decode(twice.subarray(i, i + 5)) === 'b.txt') {
        twice[i] = 'a'.charCodeAt(0);
      }
    }
    await expect(readZip(file(twice), LIMITS, REMEDY)).rejects.toThrow(refusal('it holds a.txt twice'));
  });

  it('refuses more than its limits before it reads any of it', async () => {
    const many = zipSync(
      Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`${i}`, new Uint8Array()])),
    );
    await expect(readZip(file(many), LIMITS, REMEDY)).rejects.toThrow(
      refusal('it holds 101 files, more than the 100 that are read'),
    );
    const long = zipSync({ ['x'.repeat(51)]: new Uint8Array() });
    await expect(readZip(file(long), LIMITS, REMEDY)).rejects.toThrow(
      refusal('a path in it is longer than 50 bytes'),
    );
    const large = zipSync({ a: new Uint8Array(6e5), b: new Uint8Array(6e5) });
    await expect(readZip(file(large), LIMITS, REMEDY)).rejects.toThrow(
      refusal('its files take more than 0.001 GB unpacked'),
    );
    const { zip, set } = patched({ a: new Uint8Array(50) }, 6);
    // More than deflate can make of so little.
    set(24, 5e5);
    await expect(readZip(file(zip), LIMITS, REMEDY)).rejects.toThrow(refusal('a in it is damaged'));
  });

  it('refuses sixty thousand files without looking at them', async () => {
    const many = zipSync(
      Object.fromEntries(Array.from({ length: 6e4 }, (_, i) => [`${i}`, new Uint8Array()])),
      {
        level: 0,
      },
    );
    await expect(readZip(file(many), LIMITS, REMEDY)).rejects.toThrow('it holds 60000 files');
  }, 10_000);

  it('ends where it is told to, within a file', async () => {
    for (const level of [0, 6] as const) {
      const [entry] = await readZip(file(zipSync({ a: new Uint8Array(9e5) }, { level })), LIMITS, REMEDY);
      const end = new AbortController();
      const reason = new Error('canceled');
      const onBytes = () => end.abort(reason);
      await expect(entry!.open({ signal: end.signal, onBytes })).rejects.toBe(reason);
    }
  });

  it('reads or refuses whatever a byte of it becomes', async () => {
    const zip = zipSync(
      { 'a.txt': files['c.txt'].slice(0, 40), 'b/c': new Uint8Array([1, 2, 3]) },
      { level: 0 },
    );
    const whole = await contents(file(zip));
    let refused = 0;
    for (let at = 0; at < zip.length; at++) {
      for (const change of [1, 0x80, 0xff]) {
        const changed = zip.slice();
        changed[at]! ^= change;
        const found = await contents(file(changed)).catch((error: unknown) => {
          expect(error).toBeInstanceOf(UserError);
          refused++;
        });
        // What is no part of the files (a date, say) may change.
        if (found) {
          expect(Object.values(found), `byte ${at}`).toEqual(Object.values(whole));
        }
      }
    }
    expect(refused).toBeGreaterThan(300);
  });
});

/** A zip whose directory can be changed: fields of its first entry by their offset, 4 bytes unless told. */
function patched(files: Zippable, level: 0 | 6) {
  const zip = zipSync(files, { level });
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  const places = [...zip.keys()].filter((i) => i + 4 <= zip.length && view.getUint32(i, true) === 0x02014b50);
  const at = (entry: number) => places[entry]!;
  const set = (offset: number, value: number, bytes: 2 | 4 = 4) =>
    bytes === 2 ? view.setUint16(at(0) + offset, value, true) : view.setUint32(at(0) + offset, value, true);
  return { zip, set, at };
}
