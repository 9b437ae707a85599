import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findBrowser, findSwiftShader } from '../../../src/cli/software-vulkan.ts';
import { ensureBrowser } from '../../support/ensure-browser.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'retune-browsers-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const at = (...path: string[]): string => join(root, ...path);
function put(...path: string[]): string {
  mkdirSync(dirname(at(...path)), { recursive: true });
  writeFileSync(at(...path), '');
  return at(...path);
}

/** A machine with only these usual places, and its answers. */
const PLACES = ['usr/bin/chromium', 'usr/bin/chrome'];
function found(chosen?: string) {
  const env = { HOME: root, PLAYWRIGHT_BROWSERS_PATH: at('playwright'), CHROME_PATH: chosen };
  const places = PLACES.map((place) => at(place));
  return { browser: findBrowser(env, places), device: findSwiftShader(env, places) };
}
const DEVICE = 'vk_swiftshader_icd.json';

describe('a browser and its software device', () => {
  it('are seen once they are installed', () => {
    expect(found()).toEqual({ browser: undefined, device: undefined });
    const browser = put('playwright/chromium-1200/chrome-linux64/chrome');
    const device = put('playwright/chromium-1200/chrome-linux64', DEVICE);
    expect(found()).toEqual({ browser, device });
  });

  it('are found behind a link, and behind a script', () => {
    put('opt/chrome/chrome');
    const linked = put('opt/chrome', DEVICE);
    mkdirSync(at('usr/bin'), { recursive: true });
    symlinkSync(at('opt/chrome/chrome'), at('usr/bin/chrome'));
    expect(found()).toEqual({ browser: at('usr/bin/chrome'), device: linked });
    const script = put('usr/bin/chromium');
    expect(found()).toEqual({ browser: at('usr/bin/chrome'), device: linked });
    const device = put('usr/lib/chromium', DEVICE);
    expect(found()).toEqual({ browser: script, device });
  });

  it('are those behind a stub; a stub alone has no device', () => {
    const stub = put('usr/bin/chromium');
    expect(found()).toEqual({ browser: stub, device: undefined });
    const browser = put('playwright/chromium-1200/chrome-linux/chrome');
    const device = put('playwright/chromium-1200/chrome-linux', DEVICE);
    expect(found()).toEqual({ browser, device });
  });

  it('are those that CHROME_PATH names, though the device may lie beside another', () => {
    put('usr/bin/chromium');
    const device = put('usr/lib/chromium', DEVICE);
    const chosen = put('mine/chrome');
    expect(found(chosen)).toEqual({ browser: chosen, device });
    const own = put('mine', DEVICE);
    expect(found(chosen)).toEqual({ browser: chosen, device: own });
    expect(found(at('nowhere')).browser).toBe(at('usr/bin/chromium'));
  });
});

describe('the tests of a machine', () => {
  /** What they run and say where `brings` brings a browser (and libvulkan1 the loader). */
  function ensured(brings: string, { hasApt = true, browser = false, loader = false } = {}) {
    const told: string[] = [];
    const run = (...words: string[]) => {
      const command = words.slice(words[0] === process.execPath ? 1 : 0).join(' ');
      told.push(command);
      browser ||= command.endsWith(brings);
      loader ||= command.endsWith('libvulkan1');
    };
    const say = (text: string) => told.push(text);
    let failure = '';
    try {
      ensureBrowser({ hasSwiftShader: () => browser, hasVulkanLoader: () => loader, hasApt, run, say });
    } catch (error) {
      failure = (error as Error).message;
    }
    return { told, failure };
  }
  const apt = [
    'Installing libvulkan1 and chromium with apt: no browser with SwiftShader was found for the tests.',
    'apt-get update -qq',
    'apt-get install -y -qq --no-install-recommends libvulkan1',
    'apt-get install -y -qq --no-install-recommends chromium',
  ];
  const playwright = 'node_modules/playwright-core/cli.js install';

  it('install nothing where all is there', () =>
    expect(ensured('', { browser: true, loader: true })).toEqual({ told: [], failure: '' }));

  it('install a browser with apt', () => expect(ensured('chromium')).toEqual({ told: apt, failure: '' }));

  it("install Playwright's where apt brings none", () =>
    expect(ensured('--with-deps chromium')).toEqual({
      told: [
        ...apt,
        "Installing Playwright's Chromium: apt brought no browser with SwiftShader for the tests (CHROME_PATH names one).",
        `${playwright} --with-deps chromium`,
      ],
      failure: '',
    }));

  it("install Playwright's where there is no apt, and say what to do where that brings none", () => {
    const told = [
      "Installing Playwright's Chromium: no browser with SwiftShader was found for the tests (CHROME_PATH names one).",
      `${playwright} chromium`,
    ];
    expect(ensured('chromium', { hasApt: false })).toEqual({ told, failure: '' });
    expect(ensured('nothing', { hasApt: false })).toEqual({
      told,
      failure:
        'The tests need Chrome or Chromium with SwiftShader beside it; set CHROME_PATH to its executable.',
    });
  });
});
