/** What uses the device. */
export type DeviceWork = 'training' | 'testing' | 'measuring';

const NOUNS: Readonly<Record<DeviceWork, string>> = {
  training: 'run',
  testing: 'test',
  measuring: 'measurement',
};

/** As it is stopped or waited for: "the test". */
export const workNoun = (work: DeviceWork = 'training'): string => NOUNS[work];

/** As what is worked on is said to be: "it is being measured". */
export const workState = (work: DeviceWork): string => (work === 'measuring' ? 'being measured' : work);
