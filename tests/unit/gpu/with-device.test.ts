import { expect, it } from 'vitest';
import type { Gpu } from '../../../src/gpu/device.ts';
import { withDevice } from '../../../src/gpu/with-device.ts';

function fakeGpu() {
  let lose!: (info: { message: string; reason: string }) => void;
  const closed: string[] = [];
  const lost = new Promise((resolve) => (lose = resolve));
  const gpu = { name: 'Toy', lost, close: () => closed.push('Toy') } as unknown as Gpu;
  return { gpu, lose, closed };
}
const describeLoss = ({ name }: Gpu, why: string) => new Error(`${name} was lost (${why})`);
const never = () => new Promise<never>(() => undefined);

it('gives what the work gives, and closes the device', async () => {
  const { gpu, closed } = fakeGpu();
  const work = async (open: () => Promise<Gpu>) => (await open()).name;
  expect(await withDevice(() => Promise.resolve(gpu), describeLoss, work)).toBe('Toy');
  expect(closed).toEqual(['Toy']);
});

it('ends with the loss of a device on which work would never settle', async () => {
  const { gpu, lose, closed } = fakeGpu();
  const working = withDevice(
    () => Promise.resolve(gpu),
    describeLoss,
    async (open) => {
      await open();
      lose({ message: '', reason: 'unknown' });
      return never();
    },
  );
  await expect(working).rejects.toThrow('Toy was lost (unknown)');
  expect(closed).toEqual(['Toy']);
});

it('ends with what the work ends with, also before there is a device', async () => {
  const refused = withDevice(never, describeLoss, () => Promise.reject(new Error('no rows')));
  await expect(refused).rejects.toThrow('no rows');
});
