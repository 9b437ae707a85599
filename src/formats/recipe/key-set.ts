/** A list of words, as a set. */
export const keySet = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));
