/**
 * Indices of `values` from the largest value to the smallest, of equal ones the lowest index first. A heap, so that
 * the first few of a whole vocabulary come without sorting the rest. `values` must hold no NaN and not change meanwhile.
 */
export function* descending(values: Float32Array): Generator<number> {
  const heap = range(values.length);
  const before = (a: number, b: number): boolean => {
    const [x, y] = [values[a]!, values[b]!];
    return x > y || (x === y && a < b);
  };
  /** Puts `item` where it belongs at or below `at`, in a heap of `size`. */
  const sink = (item: number, at: number, size: number): void => {
    for (let child; (child = 2 * at + 1) < size; at = child) {
      if (child + 1 < size && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, item)) break;
      heap[at] = heap[child]!;
    }
    heap[at] = item;
  };
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) sink(heap[at]!, at, heap.length);
  for (let size = heap.length - 1; size >= 0; size--) {
    yield heap[0]!;
    sink(heap[size]!, 0, size);
  }
}

/** 0 … n − 1. */
export function range(n: number): Int32Array {
  const indices = new Int32Array(n);
  for (let i = 0; i < n; i++) indices[i] = i;
  return indices;
}
