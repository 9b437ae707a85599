import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TuningFile } from '../../../src/cli/tuning-file.ts';
import { webgpuVersion } from '../../../src/cli/webgpu-version.ts';

let folder: string;

beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'tuning-'))));
afterAll(() => rm(folder, { recursive: true }));

it('stores the tuning results of each device for the next start', async () => {
  const path = join(folder, 'not there yet', '.tuning.json');
  const first = new TuningFile(path);
  expect(await first.get('a')).toBeUndefined();
  await first.set('a', { 'forward 4x32': 'f32 64x64x16' });
  await first.set('b', { 'forward 4x32': 'f32 32x32x32' });
  await first.set('a', { 'forward 4x32': 'f32 64x128x16' });
  const next = new TuningFile(path);
  expect(await next.get('a')).toEqual({ 'forward 4x32': 'f32 64x128x16' });
  expect(await next.get('b')).toEqual({ 'forward 4x32': 'f32 32x32x32' });
});

it('tunes again under another version of Dawn', async () => {
  const path = join(folder, 'versions.json');
  const on = (version: string) => new TuningFile(path, () => version);
  await on('webgpu 1').set('a', { x: 'y' });
  expect(await on('webgpu 2').get('a')).toBeUndefined();
  await on('webgpu 2').set('a', { x: 'z' });
  expect([await on('webgpu 1').get('a'), await on('webgpu 2').get('a')]).toEqual([{ x: 'y' }, { x: 'z' }]);
});

it('is done without where it is broken or cannot be written', async () => {
  const path = join(folder, 'broken.json');
  await writeFile(path, '{"a": ');
  expect(await new TuningFile(path).get('a')).toBeUndefined();
  await new TuningFile(path).set('a', { x: 'y' });
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ [`${webgpuVersion()}, a`]: { x: 'y' } });
  expect(webgpuVersion()).toMatch(/^webgpu \d+\.\d+/);
  const key = `${webgpuVersion()}, a`;
  const whole = JSON.stringify({ [key]: { x: 'y' } });
  for (let end = 0; end < whole.length; end++) {
    await writeFile(path, whole.slice(0, end));
    expect(await new TuningFile(path).get('a')).toBeUndefined();
  }
  for (const foreign of [7, null, 'x', ['x'], { x: 7 }, { x: { y: 'z' } }]) {
    await writeFile(path, JSON.stringify({ [key]: foreign, other: { x: 'y' } }));
    expect(await new TuningFile(path).get('a')).toBeUndefined();
  }
  const nowhere = new TuningFile(join(path, 'inside a file.json'));
  await nowhere.set('a', { x: 'y' });
  expect(await nowhere.get('a')).toBeUndefined();
});
