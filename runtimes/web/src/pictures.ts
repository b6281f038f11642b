/** Between pixels and what the networks see. */

import type { FloatArray } from "./arrays.js";
import { roundHalfToEven } from "./rounding.js";

/** RGB pixels row by row, three bytes each. */
export interface Picture {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
}

/** Picture to (1, 3, H, W) in [-1, 1]. */
export function toNetwork({ data, height, width }: Picture): FloatArray {
  const plane = height * width;
  const values = new Float32Array(3 * plane);
  for (let i = 0; i < values.length; i++)
    values[i] = Math.fround(data[3 * (i % plane) + Math.floor(i / plane)] / 127.5) - 1;
  return { data: values, shape: [1, 3, height, width] };
}

/**
 * The finished picture: `painted` where the mask is 1, the person's own pixels elsewhere.
 *
 * `painted` and `person` (1, 3, H, W) in [-1, 1], clipped and rounded here; `mask` (1, 1, H, W) in {0, 1}.
 */
export function composite(painted: FloatArray, person: FloatArray, mask: FloatArray): Picture {
  const [height, width] = person.shape.slice(2);
  const plane = height * width;
  const data = new Uint8Array(3 * plane);
  for (let i = 0; i < data.length; i++) {
    const pixel = Math.floor(i / 3);
    const source = mask.data[pixel] > 0.5 ? painted : person;
    data[i] = toByte(source.data[(i % 3) * plane + pixel]);
  }
  return { data, height, width };
}

/** Mask (1, 1, H, W) at latent size: 1 where any of `downscale` x `downscale` pixels is repainted. */
export function latentMask(mask: FloatArray, downscale: number): FloatArray {
  const [height, width] = mask.shape.slice(2);
  const shape = [1, 1, height / downscale, width / downscale];
  const data = new Float32Array(shape[2] * shape[3]);
  mask.data.forEach((value, i) => {
    const y = Math.floor(Math.floor(i / width) / downscale);
    const x = Math.floor((i % width) / downscale);
    data[y * shape[3] + x] = Math.max(data[y * shape[3] + x], value);
  });
  return { data, shape };
}

function toByte(value: number): number {
  const scaled = Math.fround(Math.fround(value + 1) * 127.5);
  return roundHalfToEven(Math.min(255, Math.max(0, scaled)));
}
