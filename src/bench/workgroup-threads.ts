/** A WGSL file's own constants: "const THREADS = 256u;" or "override GROUPS: u32 = 4u;". */
const CONSTANT = /\b(?:const|override) (\w+)(?:: \w+)? = ([^;]+);/g;

/**
 * Invocations of a kernel's workgroup, by its code and the constants that a call gives it: a product of numbers and
 * constants. Throws Error.
 */
export function workgroupThreads(code: string, given: Readonly<Record<string, number>> = {}): number {
  const own = new Map([...code.matchAll(CONSTANT)].map(([, name, value]) => [name!, value!]));
  const valueOf = (text: string): number =>
    text.split('*').reduce((product, part) => {
      const term = part.trim();
      const known = /^\d+u?$/.test(term) ? parseInt(term, 10) : given[term];
      const expression = own.get(term);
      if (known === undefined && expression === undefined) {
        throw new Error(`no value for "${term}" in a workgroup's size`);
      }
      return product * (known ?? valueOf(expression!));
    }, 1);
  const [, size = ''] = /@workgroup_size\(([^)]*)\)/.exec(code) ?? [];
  return size.split(',').reduce((product, one) => product * valueOf(one), 1);
}
