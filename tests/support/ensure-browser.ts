import { bringSoftware } from '../../src/cli/bring-software.ts';
import { thisMachine } from '../../src/cli/software-device.ts';

/** Finds Chrome or Chromium with SwiftShader beside it, or installs it as the command line does, and reports it. */
export async function ensureBrowser(): Promise<void> {
  if (!thisMachine.has('browser')) {
    const say = (text: string) => console.log(`The tests need a browser. ${text}`);
    await bringSoftware('browser', { ...thisMachine, consents: async () => true, say });
  }
}
