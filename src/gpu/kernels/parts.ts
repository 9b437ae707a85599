import type { ParamType } from '../kernel.ts';

/** Most parts of one dispatch, such as the LoRA factors of q, k and v, which share their input. */
const PARTS = 3;

/** The fields of each part, then the others: a struct that begins with an array of three structs. */
export function paramsOf<Part extends string, Other extends string>(
  part: Readonly<Record<Part, ParamType>>,
  others: Readonly<Record<Other, ParamType>>,
) {
  const fields = Array.from({ length: PARTS }, (_, i) =>
    Object.entries(part).map(([name, type]) => [`${name}${i}`, type]),
  ).flat();
  return { ...Object.fromEntries(fields), ...others } as Record<`${Part}${0 | 1 | 2}` | Other, ParamType>;
}

/** Values for `paramsOf`; a part that is absent is all zeros. */
export function valuesOf<Part extends string>(
  names: Readonly<Record<Part, ParamType>>,
  parts: readonly Readonly<Record<NoInfer<Part>, number>>[],
) {
  const fields = Array.from({ length: PARTS }, (_, i) =>
    (Object.keys(names) as Part[]).map((name) => [`${name}${i}`, parts[i]?.[name] ?? 0]),
  ).flat();
  return Object.fromEntries(fields) as Record<`${Part}${0 | 1 | 2}`, number>;
}
