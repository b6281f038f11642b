/** Gaussian blur as OpenCV's `GaussianBlur` does it when given no size: mirrored at the border. */

import { roundHalfToEven } from "./rounding.js";

/** Each plane (`height` x `width`) of `values` blurred; `sigma` in pixels. */
export function blurred(values: Float32Array, height: number, width: number, sigma: number): Float32Array {
  const kernel = gaussianKernel(sigma);
  const plane = height * width;
  const out = new Float32Array(values.length);
  for (let first = 0; first < values.length; first += plane) {
    const rows = along(values.subarray(first, first + plane), kernel, height, width, width, 1);
    out.set(along(rows, kernel, width, height, 1, width), first);
  }
  return out;
}

function gaussianKernel(sigma: number): Float32Array {
  const size = roundHalfToEven(sigma * 8 + 1) | 1;
  const weights = Array.from({ length: size }, (_, i) => Math.exp(-((i - (size - 1) / 2) ** 2) / (2 * sigma ** 2)));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return Float32Array.from(weights, (weight) => weight / sum);
}

/** `lines` lines of `length` numbers: the next number of a line is `step` further, the next line `stride`. */
function along(
  values: Float32Array,
  kernel: Float32Array,
  lines: number,
  length: number,
  stride: number,
  step: number,
): Float32Array {
  const reach = (kernel.length - 1) / 2;
  const out = new Float32Array(values.length);
  for (let line = 0; line < lines; line++) {
    for (let i = 0; i < length; i++) {
      let sum = 0;
      for (let k = -reach; k <= reach; k++)
        sum += kernel[k + reach] * values[line * stride + mirrored(i + k, length) * step];
      out[line * stride + i * step] = sum;
    }
  }
  return out;
}

function mirrored(index: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const wrapped = ((index % period) + period) % period;
  return wrapped < length ? wrapped : period - wrapped;
}
