/**
 * Indices of `values` from largest to smallest value; equal values in index order. A heap, so that the first few of
 * a whole vocabulary come without sorting the rest. `values` must contain no NaN and not change during iteration.
 */
export function* descending(values: Float32Array): Generator<number> {
  const heap = range(values.length);
  const before = (a: number, b: number): boolean => {
    const [x, y] = [values[a]!, values[b]!];
    return x > y || (x === y && a < b);
  };
  /** Sifts `item` down from `at` in a heap of `size`. */
  const sink = (item: number, at: number, size: number): void => {
    for (let child; (child = 2 * at + 1) < size; at = child) {
      if (child + 1 < size && before(heap[child + 1]!, heap[child]!)) {
        child++;
      }
      if (!before(heap[child]!, item)) {
        break;
      }
      heap[at] = heap[child]!;
    }
    heap[at] = item;
  };
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) {
    sink(heap[at]!, at, heap.length);
  }
  for (let size = heap.length - 1; size >= 0; size--) {
    yield heap[0]!;
    sink(heap[size]!, 0, size);
  }
}

/** 0 … n − 1. */
export function range(n: number): Int32Array {
  const indices = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    indices[i] = i;
  }
  return indices;
}
