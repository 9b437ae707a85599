/** The part of Trusted Types in use; TypeScript's DOM library lacks it so far. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL(url: string): unknown };
}

const rules = {
  createScriptURL: (url: string): string => {
    const { href } = new URL(url, location.href);
    if (!href.startsWith(`${location.origin}/`)) {
      throw new TypeError('Only scripts of this origin are started.');
    }
    return href;
  },
};

const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
// The only name, besides Lit's, that the security headers allow.
const policy = trustedTypes?.createPolicy('retune', rules) ?? rules;

/**
 * The address of a worker's script in the form that Trusted Types require: only what this returns may be started,
 * and it accepts no other origin.
 */
export const ownScript = (url: string): string => policy.createScriptURL(url) as string;
