import { describe, expect, it } from 'vitest';
import { announcedExport, phaseOf, progressText } from '../../../src/app/use/export-progress.ts';
import { Pace } from '../../../src/app/use/pace.ts';

const MIB = 2 ** 20;

describe('the pace of an export', () => {
  it('is that of its latest seconds', () => {
    let now = 0;
    const pace = new Pace(() => now);
    pace.add(0);
    expect(pace.perSecond).toBeUndefined();
    now = 500;
    pace.add(100);
    expect(pace.perSecond).toBeUndefined();
    now = 2000;
    pace.add(400);
    expect(pace.perSecond).toBe(200);
    for (let second = 3; second <= 30; second++) {
      now = 1000 * second;
      pace.add(400 + 10 * (second - 2));
    }
    expect(pace.perSecond).toBe(10);
  });
});

describe('what is told of it', () => {
  const work = { phase: 'writing', done: 300 * MIB, total: 1200 * MIB, canceled: false } as const;

  it('is the speed and the time left, once they are known', () => {
    expect(progressText({ ...work, perSecond: undefined })).toBe(
      '300 MiB of 1.2 GiB · estimating time left…',
    );
    expect(progressText({ ...work, perSecond: 10 * MIB })).toBe(
      '300 MiB of 1.2 GiB · 10.0 MiB/s · 1 min 30 s left',
    );
    expect(progressText({ ...work, perSecond: 0 })).toBe('300 MiB of 1.2 GiB · 0 bytes/s · waiting');
  });

  it('is the phase and every tenth to a screen reader', () => {
    expect(announcedExport({ ...work, perSecond: 1 })).toBe('Writing, 20% done.');
    expect(announcedExport({ ...work, total: 0, done: 0, phase: 'hashing', perSecond: 1 })).toBe(
      'Checking that this is the base, 0% done.',
    );
    expect(phaseOf({ ...work, perSecond: 1, canceled: true })).toBe('Canceling');
  });
});
