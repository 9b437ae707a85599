export interface Browser {
  agent: string;
  brands: readonly { brand: string }[] | undefined;
  secure: boolean;
}

const thisBrowser = (): Browser => ({
  agent: navigator.userAgent,
  brands: (navigator as { userAgentData?: { brands: Browser['brands'] } }).userAgentData?.brands,
  secure: globalThis.isSecureContext,
});

/** What the browser lacks and what to do about it, in one sentence; undefined if it should work. */
export function browserProblem({ agent, brands, secure } = thisBrowser()): string | undefined {
  if (!secure) {
    return 'This page was opened over plain http, where browsers hide the GPU; open it over https, or as localhost on the machine that serves it.';
  }
  if (brands?.some(({ brand }) => brand === 'Chromium') || /Chrom(e|ium)\//.test(agent)) {
    return undefined;
  }
  const name = /Firefox\//.test(agent) ? 'Firefox' : /Safari\//.test(agent) ? 'Safari' : 'This browser';
  return `${name} is untested with Retune and lacks parts that it uses, such as file access that outlives a reload; open this page in Chrome or Edge 121 or newer.`;
}
