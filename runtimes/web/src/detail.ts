/** What the autoencoder cannot hold, stripes and letters, given back where the network left the warp as it was. */

import type { FloatArray } from "./arrays.js";
import { blurred } from "./blur.js";

/** Standard deviation of the blur before painted picture and reconstruction are compared, in picture heights. */
export const COARSE = 1 / 256;

/** Root mean square difference of the colours, in [-1, 1] units, at which trust has fallen to 1 / e. */
export const AGREEMENT = 0.16;

/**
 * `painted` with what `reconstruction` lacks of `pasted`, as far as it is like `reconstruction`.
 *
 * All (1, 3, H, W), about [-1, 1]: `pasted` is the masked person with the garment pasted in, `reconstruction` what
 * the autoencoder makes of it. Not clipped. The reasons are in `lite_vton/tryon/detail.py`.
 */
export function carryDetail(painted: FloatArray, pasted: FloatArray, reconstruction: FloatArray): FloatArray {
  const [height, width] = painted.shape.slice(2);
  const plane = height * width;
  const apart = painted.data.map((value, i) => value - reconstruction.data[i]);
  const coarse = blurred(apart, height, width, COARSE * height);
  const trust = Float32Array.from({ length: plane }, (_, i) => {
    const square = coarse[i] ** 2 + coarse[i + plane] ** 2 + coarse[i + 2 * plane] ** 2;
    return Math.exp(-square / 3 / AGREEMENT ** 2);
  });
  const data = painted.data.map((value, i) => value + trust[i % plane] * (pasted.data[i] - reconstruction.data[i]));
  return { data, shape: painted.shape };
}
