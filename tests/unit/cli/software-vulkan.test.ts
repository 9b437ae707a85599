import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findBrowser, findSwiftShader, hasWholeBrowser } from '../../../src/cli/software-vulkan.ts';

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
  const env = {
    HOME: root,
    XDG_CACHE_HOME: at('cache'),
    PLAYWRIGHT_BROWSERS_PATH: at('playwright'),
    CHROME_PATH: chosen,
  };
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

  it('are none where only a device was downloaded', () => {
    const env = { HOME: root, XDG_CACHE_HOME: at('cache') };
    put('usr/bin/chromium');
    put('cache/retune/software-device/.7.partial-x', DEVICE);
    expect(found().device).toBeUndefined();
    const device = put('cache/retune/software-device/swiftshader-153.0.0', DEVICE);
    expect([found().device, hasWholeBrowser(env, [at('usr/bin/chromium')])]).toEqual([device, false]);
    rmSync(device);
    const inner = 'chromium_headless_shell-1200/chrome-headless-shell-linux64';
    const other = put('cache/retune/software-device', inner, DEVICE);
    expect(found().device).toBe(other);
    put('usr/lib/chromium', DEVICE);
    expect(hasWholeBrowser(env, [at('usr/bin/chromium')])).toBe(true);
  });
});
