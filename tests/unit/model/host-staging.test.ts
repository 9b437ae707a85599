import { expect, it, vi } from 'vitest';
import { readOnce } from '../../../src/gpu/readback.ts';
import { Stream } from '../../../src/gpu/stream.ts';
import { HostStaging, stagedBytes } from '../../../src/model/base/read/host-staging.ts';
import { nullGpu } from '../../support/null-gpu.ts';
import { Random } from '../../support/random.ts';

it('fills a buffer again once the device has copied from it: aligned, and padded with zeros', async () => {
  const gpu = await nullGpu();
  const before = gpu.memory.total;
  // The device maps a buffer when the test lets it.
  const mapping: (() => void)[] = [];
  const createBuffer = gpu.device.createBuffer.bind(gpu.device);
  const created = vi.spyOn(gpu.device, 'createBuffer').mockImplementation((descriptor) => {
    const buffer = createBuffer(descriptor);
    buffer.mapAsync = () => new Promise((resolve) => mapping.push(() => resolve(undefined)));
    return buffer;
  });
  const bytes = stagedBytes([5, 300, 8]);
  expect(bytes).toBe(256 + 512 + 256);
  const staging = new HostStaging(gpu, bytes, 2);
  created.mockRestore();
  expect(gpu.memory.total - before).toBe(2 * bytes);
  mapping.splice(0).forEach((map) => map());

  const [first] = await staging.place([new Uint8Array(bytes).fill(255)]);
  void staging.submitted();
  const [second] = await staging.place([new Uint8Array(1)]);
  void staging.submitted();
  expect(second!.buffer).not.toBe(first!.buffer);

  const random = new Random(1);
  const pieces = [random.bytes(5), random.bytes(300), random.bytes(8)];
  let placed = false;
  const third = staging.place(pieces).finally(() => (placed = true));
  await new Promise(setImmediate);
  expect([placed, mapping.length]).toEqual([false, 2]);
  mapping[0]!();
  const views = await third;
  expect(views.map(({ buffer, offset, size }) => [buffer, offset, size])).toEqual([
    [first!.buffer, 0, 8],
    [first!.buffer, 256, 300],
    [first!.buffer, 768, 8],
  ]);
  const stream = new Stream(gpu);
  expect(await readOnce(stream, ...views)).toEqual(
    Uint8Array.of(...pieces[0]!, 0, 0, 0, ...pieces[1]!, ...pieces[2]!),
  );
  stream.close();
  staging.close();
  expect(gpu.memory.total).toBe(before);
});
