/** Where pytest put what these tests are held against; `python -m pytest tests/runtimes/web` runs them. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { readNpz } from "../dist/npz.js";
import type { FloatArray, NpyArray } from "../dist/index.js";

export type Arrays = Record<string, NpyArray>;

/** A folder pytest made: `REFERENCES`, or the bundles `TINY`, `TINY_CLIP` and `TINY_WIDE`. */
export function folder(name: string): string {
  const path = process.env[`LITE_VTON_${name}`];
  assert(path, "run these tests with python -m pytest tests/runtimes/web");
  return path;
}

export async function npz(...path: string[]): Promise<Arrays> {
  return readNpz(new Uint8Array(await readFile(join(...path))));
}

export const references = await npz(folder("REFERENCES"), "references.npz");

/** An array of float32 among `arrays`. */
export function floats(arrays: Arrays, key: string): FloatArray {
  const { data, shape } = arrays[key];
  assert(data instanceof Float32Array, `${key} is not float32`);
  return { data, shape };
}

/** Mean squared difference as PSNR in dB, the peak being the range of `wanted`; 200 where identical. */
export function psnr(found: ArrayLike<number>, wanted: ArrayLike<number>, peak?: number): number {
  assert.equal(found.length, wanted.length);
  let [squares, low, high] = [0, Infinity, -Infinity];
  for (let i = 0; i < wanted.length; i++) {
    squares += (found[i] - wanted[i]) ** 2;
    [low, high] = [Math.min(low, wanted[i]), Math.max(high, wanted[i])];
  }
  return squares === 0 ? 200 : 10 * Math.log10(((peak ?? high - low) ** 2 * wanted.length) / squares);
}
