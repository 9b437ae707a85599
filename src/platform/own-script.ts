/** The part of Trusted Types that is used here; TypeScript's DOM library does not know them yet. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL(url: string): unknown };
}

const rules = {
  createScriptURL: (url: string): string => {
    const { href } = new URL(url, location.href);
    if (!href.startsWith(`${location.origin}/`))
      throw new TypeError('Only scripts of this origin are started.');
    return href;
  },
};

const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
// The one name beside Lit's that the security headers allow.
const policy = trustedTypes?.createPolicy('retune', rules) ?? rules;

/**
 * The address of a worker's script, as Trusted Types want it: only what this returns may be started, and it returns
 * nothing of another origin.
 */
export const ownScript = (url: string): string => policy.createScriptURL(url) as string;
