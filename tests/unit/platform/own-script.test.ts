import { afterEach, expect, it, vi } from 'vitest';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

const load = async () => (await import('../../../src/platform/own-script.ts')).ownScript;

it('hands out scripts of the page’s own origin and no others', async () => {
  vi.stubGlobal('location', new URL('https://retune.example/tools/?bench'));
  const ownScript = await load();
  expect(ownScript('./sw.js')).toBe('https://retune.example/tools/sw.js');
  for (const foreign of [
    'https://evil.example/a.js',
    '//evil.example/a.js',
    'data:text/javascript,0',
    'blob:x',
  ]) {
    expect(() => ownScript(foreign), foreign).toThrow(TypeError);
  }
});

it('does so by a Trusted Types policy where the browser has them, under the name that the headers allow', async () => {
  vi.stubGlobal('location', new URL('https://retune.example/'));
  const names: string[] = [];
  vi.stubGlobal('trustedTypes', {
    createPolicy(name: string, rules: { createScriptURL(url: string): string }) {
      names.push(name);
      return { createScriptURL: (url: string) => ({ trusted: rules.createScriptURL(url) }) };
    },
  });
  const ownScript = await load();
  expect(ownScript('/a.js')).toEqual({ trusted: 'https://retune.example/a.js' });
  const { securityHeaders } = await import('../../../src/platform/security-headers.ts');
  expect(securityHeaders['Content-Security-Policy']).toContain(`trusted-types lit-html ${names.join(' ')}`);
});
