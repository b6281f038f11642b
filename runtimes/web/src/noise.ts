/** Gaussian noise that is the same on every backend and in every language, because no graph ever draws it. */

import { philox } from "./philox.js";
import type { Words } from "./philox.js";
import { philoxKey } from "./seed.js";
import { TAIL, ziggurat } from "./ziggurat.js";

/** Draws the next `length` standard normal numbers. */
export type Noise = (length: number) => Float32Array;

const { widths, inside, heights } = ziggurat();
const EDGE = Math.fround(TAIL);
const INVERSE_EDGE = Math.fround(1 / TAIL);

/**
 * The stream of `numpy.random.Generator(numpy.random.Philox(seed)).standard_normal(dtype=float32)`.
 *
 * Every bit is numpy's, but for this: one draw in 3900 lies beyond 3.65, and there numpy asks the C library for a
 * logarithm in float32. Here that is rounded correctly; glibc 2.36 rounds one in 200 of those few otherwise, in
 * the last bit.
 *
 * A sampling run draws one latent for the warm start, then one per step that injects noise (see `METHODS`).
 */
export function gaussian(seed: number | bigint): Noise {
  const words = philox(philoxKey(seed));
  return (length) => Float32Array.from({ length }, () => normal(words));
}

function normal(words: Words): number {
  for (;;) {
    const word = words();
    const layer = word & 0xff;
    const negative = (word >>> 8) & 1;
    const magnitude = word >>> 9;
    const x = Math.fround(magnitude * widths[layer]) * (negative ? -1 : 1);
    if (magnitude < inside[layer]) return x;
    if (layer === 0) return tail(words, (magnitude >>> 8) & 1);
    if (underTheCurve(x, layer, uniform(words))) return x;
  }
}

function underTheCurve(x: number, layer: number, u: number): boolean {
  const step = Math.fround(Math.fround(heights[layer - 1] - heights[layer]) * u);
  return Math.fround(step + heights[layer]) < Math.exp(-0.5 * x * x);
}

/** A draw beyond `TAIL`, by rejection from an exponential; each operation rounded to float32. */
function tail(words: Words, negative: number): number {
  for (;;) {
    const xx = Math.fround(-INVERSE_EDGE * logOneMinus(uniform(words)));
    const yy = -logOneMinus(uniform(words));
    if (Math.fround(yy + yy) > Math.fround(xx * xx)) return Math.fround(EDGE + xx) * (negative ? -1 : 1);
  }
}

function logOneMinus(u: number): number {
  return Math.fround(Math.log1p(-u));
}

/** Uniform in [0, 1), 24 bits. */
function uniform(words: Words): number {
  return (words() >>> 8) / 2 ** 24;
}
