import type { ParamType } from '../../kernel.ts';

/** Parts of most dispatches, such as the LoRA factors of q, k and v, which share their input. */
const PARTS = 3;

/** The fields of each of `count` parts, then the others: a struct that begins with an array of structs. */
export function paramsOf<Part extends string, Other extends string>(
  part: Readonly<Record<Part, ParamType>>,
  others: Readonly<Record<Other, ParamType>>,
  count = PARTS,
) {
  const fields = Array.from({ length: count }, (_, i) =>
    Object.entries(part).map(([name, type]) => [`${name}${i}`, type]),
  ).flat();
  return { ...Object.fromEntries(fields), ...others } as Record<`${Part}${number}` | Other, ParamType>;
}

/** For each part struct: the names of its fields, and their names in `paramsOf`. */
const fieldsOf = new WeakMap<object, [name: string, field: string][][]>();

function namedFields(names: object, count: number): [name: string, field: string][][] {
  let fields = fieldsOf.get(names);
  if (!fields) {
    fields = Array.from({ length: count }, (_, i) =>
      Object.keys(names).map((name): [string, string] => [name, `${name}${i}`]),
    );
    fieldsOf.set(names, fields);
  }
  return fields;
}

/** Values for `paramsOf`; a part that is absent is all zeros. */
export function valuesOf<Part extends string>(
  names: Readonly<Record<Part, ParamType>>,
  parts: readonly Readonly<Record<NoInfer<Part>, number>>[],
  count = PARTS,
) {
  const values: Record<string, number> = {};
  namedFields(names, count).forEach((fields, i) => {
    const part: Readonly<Record<string, number>> | undefined = parts[i];
    for (const [name, field] of fields) {
      values[field] = part?.[name] ?? 0;
    }
  });
  return values as Record<`${Part}${number}`, number>;
}
