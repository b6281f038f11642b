/** Arrays as the networks take them: C order, float32 unless said otherwise. */

import { TryOnError } from "./errors.js";

/** A float32 array with its shape, NCHW where it is a picture or a latent. */
export interface FloatArray {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** An int64 array with its shape. */
export interface IntArray {
  readonly data: BigInt64Array;
  readonly shape: readonly number[];
}

/** A network: arrays by tensor name in, arrays by tensor name out. Rejects with a `TryOnError` where it cannot. */
export type Component = (
  inputs: Readonly<Record<string, FloatArray | IntArray>>,
) => Promise<Record<string, FloatArray>>;

/** How many numbers an array of this shape has. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}

/** Arrays one after another along their first axis; the other axes have to be alike. */
export function stacked(arrays: readonly FloatArray[]): FloatArray {
  const rest = arrays[0].shape.slice(1);
  const count = arrays.reduce((sum, array) => sum + array.shape[0], 0);
  return { data: joined(arrays), shape: [count, ...rest] };
}

/** Arrays (1, C, h, w) as one (1, sum of C, h, w). */
export function alongChannels(arrays: readonly FloatArray[]): FloatArray {
  const channels = arrays.reduce((sum, array) => sum + array.shape[1], 0);
  return { data: joined(arrays), shape: [1, channels, ...arrays[0].shape.slice(2)] };
}

/** Row `index` of the first axis as an array (1, ...) of its own; its numbers are shared. */
export function row(array: FloatArray, index: number): FloatArray {
  const rest = array.shape.slice(1);
  const size = sizeOf(rest);
  return { data: array.data.subarray(index * size, (index + 1) * size), shape: [1, ...rest] };
}

/** Throws unless `array` has the shape and as many numbers; `name` is what the error calls it. */
export function checkShape(name: string, array: FloatArray | IntArray | undefined, shape: readonly number[]): void {
  if (array === undefined) throw new TryOnError("options", `${name} is missing: give it as (${shape.join(", ")})`);
  const same = array.shape.length === shape.length && array.shape.every((side, axis) => side === shape[axis]);
  if (same && array.data.length === sizeOf(shape)) return;
  const found = same ? `${array.data.length} numbers` : `(${array.shape.join(", ")})`;
  throw new TryOnError("options", `${name} is ${found}, not (${shape.join(", ")}): prepare it at this bundle's size`);
}

/** Throws if a network answered NaN or infinity, which would become a picture without a word. */
export function checkFinite(component: string, array: FloatArray): FloatArray {
  if (array.data.every(Number.isFinite)) return array;
  throw new TryOnError(
    "network",
    `${component} answered NaN or infinity: use precision fp32, or export the bundle again`,
  );
}

function joined(arrays: readonly FloatArray[]): Float32Array {
  const whole = new Float32Array(arrays.reduce((sum, array) => sum + array.data.length, 0));
  let start = 0;
  for (const { data } of arrays) {
    whole.set(data, start);
    start += data.length;
  }
  return whole;
}
