/** a [m, k] · b [k, n] in f64. */
export function matmulRef(a: Float64Array, b: Float64Array, m: number, k: number, n: number): Float64Array {
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let l = 0; l < k; l++) {
      const x = a[i * k + l]!;
      for (let j = 0; j < n; j++) {
        c[i * n + j]! += x * b[l * n + j]!;
      }
    }
  }
  return c;
}

/** The transpose of a [rows, columns] matrix. */
export function transpose(a: Float64Array, rows: number, columns: number): Float64Array {
  const t = new Float64Array(a.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      t[j * rows + i] = a[i * columns + j]!;
    }
  }
  return t;
}

/** a + b, element by element. */
export function add(a: Float64Array, b: ArrayLike<number>): Float64Array {
  return a.map((v, i) => v + b[i]!);
}
