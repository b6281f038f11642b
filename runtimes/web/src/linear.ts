/** Weighted sums of samples, each operation rounded to float32 as numpy rounds it. */

/** a x + b y. */
export function mix(a: number, x: Float32Array, b: number, y: Float32Array): Float32Array {
  const [p, q] = [Math.fround(a), Math.fround(b)];
  return x.map((value, index) => Math.fround(p * value) + Math.fround(q * y[index]));
}

/** a x. */
export function times(a: number, x: Float32Array): Float32Array {
  const factor = Math.fround(a);
  return x.map((value) => factor * value);
}

/** x / a. */
export function over(a: number, x: Float32Array): Float32Array {
  const divisor = Math.fround(a);
  return x.map((value) => value / divisor);
}
