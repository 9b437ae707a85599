export interface Browser {
  agent: string;
  brands: readonly { brand: string; version?: string }[] | undefined;
  secure: boolean;
}

/** What the browser says of itself. */
export const thisBrowser = (): Browser => ({
  agent: navigator.userAgent,
  brands: (navigator as { userAgentData?: { brands: Browser['brands'] } }).userAgentData?.brands,
  secure: globalThis.isSecureContext,
});

/** What the browser lacks and what to do about it, in one sentence; undefined if it should work. */
export function browserProblem({ agent, brands, secure }: Browser = thisBrowser()): string | undefined {
  if (!secure) {
    return 'This page was opened over plain http, where browsers hide the GPU; open it over https, or as localhost on the machine that serves it.';
  }
  if (brands?.some(({ brand }) => brand === 'Chromium') || /Chrom(e|ium)\//.test(agent)) {
    return undefined;
  }
  const name = /Firefox\//.test(agent) ? 'Firefox' : /Safari\//.test(agent) ? 'Safari' : 'This browser';
  return `${name} is untested with Retune and lacks parts that it uses, such as file access that outlives a reload; open this page in Chrome or Edge 121 or newer.`;
}

/** Its name and major version, such as "Google Chrome 156", and the version of the Chromium that it is made of. */
export function browserVersion({ agent, brands = [] }: Browser): {
  name: string;
  chrome: number | undefined;
} {
  // Chrome adds a brand that is none, so that nobody relies on the list.
  const real = brands.filter(({ brand }) => !/^\W*Not\W*A\W*Brand/i.test(brand));
  const { brand, version } = real.find(({ brand }) => brand !== 'Chromium') ?? real[0] ?? {};
  const told = /\b(Chrome|Firefox|Version)\/(\d+)/.exec(agent);
  const chromium = real.find(({ brand }) => brand === 'Chromium')?.version;
  const chrome = chromium ?? (told?.[1] === 'Chrome' ? told[2] : undefined);
  const named = told && `${told[1] === 'Version' ? 'Safari' : told[1]} ${told[2]}`;
  return {
    name: brand === undefined ? (named ?? 'unknown') : [brand, version].filter(Boolean).join(' '),
    chrome: chrome === undefined ? undefined : Number(chrome),
  };
}
