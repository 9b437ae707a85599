import { parseJson } from '../../src/formats/json.ts';

/** A value as rows are read: objects as `Map`s in their order, numbers as `NumberText`. */
export const ordered = (value: unknown): unknown =>
  parseJson(JSON.stringify(value), { keepKeyOrder: true, keepNumberText: true });
