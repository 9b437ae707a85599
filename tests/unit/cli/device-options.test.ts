import { Command } from 'commander';
import { expect, it } from 'vitest';
import { addDeviceOptions, givenDeviceSettings } from '../../../src/cli/options.ts';

const parse = (...args: string[]) => {
  const command = addDeviceOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  return givenDeviceSettings(command.parse(args, { from: 'user' }).opts());
};

it('every setting of the device has an option, with the default of the page', () => {
  expect(parse()).toEqual({ memory: undefined, yieldGpu: undefined, precision: 'auto' });
  expect(parse('--memory', '4GB', '--leave-room', '--precision', 'f32')).toEqual({
    memory: 4e9,
    yieldGpu: true,
    precision: 'f32',
  });
  expect(() => parse('--precision', 'f64')).toThrow('Allowed choices are auto, f32, f16, matrix');
});
