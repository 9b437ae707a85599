import type { EngineApi } from '../../src/engine/protocol/protocol.ts';

/** Text that would show or run if it were ever taken for markup; nothing else creates the element `x-injected`. */
export const MARKUP =
  '<x-injected></x-injected><img src="x" onerror="ran = true"><script>ran = true</script>' +
  '<svg onload="ran = true"></svg><a href="javascript:ran = true">link</a>"\' onclick="ran = true" ${ran = true} {{ran = true}}';

/** Words that the page bases decisions on and that nobody else can write. Anything under another key is text. */
const DECIDED_BY = new Set(
  [
    'id key kind type status state form family phase unit doing run baseRun sourceRun parent hash hashes lacks recipe',
    'options handles stopped tests verdict metric changes vote votes ended',
  ].flatMap((keys) => keys.split(' ')),
);

/** An engine whose texts all end in markup: names, notes, rows, questions, answers, messages, and everything else. */
export function withMarkup(engine: EngineApi): EngineApi {
  const methods = Object.entries(engine) as [string, (...args: unknown[]) => Promise<unknown>][];
  const wrapped = methods.map(([name, method]) => [
    name,
    async (...args: unknown[]) => {
      const heard = args.map((arg) =>
        typeof arg === 'function' ? (event: unknown) => void arg(marked(event)) : arg,
      );
      const result = await method(...heard);
      return name === 'defaultRecipe' ? result : marked(result);
    },
  ]);
  return Object.fromEntries(wrapped) as EngineApi;
}

function marked(value: unknown): unknown {
  if (typeof value === 'string') {
    return value + MARKUP;
  }
  if (Array.isArray(value)) {
    return value.map(marked);
  }
  if (value === null || typeof value !== 'object' || value instanceof Blob) {
    return value;
  }
  const entries = Object.entries(value).map(([key, inner]) => [
    key,
    DECIDED_BY.has(key) ? inner : marked(inner),
  ]);
  return Object.fromEntries(entries);
}
