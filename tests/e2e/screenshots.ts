import { chromium } from 'playwright-core';
import { findBrowser } from '../../src/cli/software-vulkan.ts';
import { BROWSER_ARGS } from '../support/browser-args.ts';
import { DemoPage } from '../support/demo-page.ts';
import { StaticHost } from '../support/real-page.ts';

// Takes the README's screenshots of the page by running the bundled demo on Chrome's software GPU: `npm run
// screenshots`. It takes as long as the demo and its test do there.
const host = await StaticHost.open('dist/screenshots');
const browser = await chromium.launch({ executablePath: findBrowser()!, args: BROWSER_ARGS });
try {
  const demo = new DemoPage(await browser.newPage(), 'public/screenshots');
  await demo.train(host.url);
  await demo.ask();
  await demo.beginTest();
  await demo.endTest();
  await demo.continueToV3();
  await demo.family();
} finally {
  await browser.close();
  await host.close();
}
