/** A decoder for small latents, used on a large one: overlapping tiles, blended where they overlap. */

import type { FloatArray } from "./arrays.js";
import { TryOnError } from "./errors.js";
import { roundHalfToEven } from "./rounding.js";

/** Latent positions that neighbours share at least. */
export const OVERLAP = 12;

/**
 * The picture (1, 3, H, W) of `latent` (1, C, h, w), decoded in pieces (1, C, *tile); `scale` is H / h.
 *
 * A third of the overlap counts for nothing, in the next third one tile fades into the other, as `runtimes/lite_vton_runtimes/sampling/tiles.py`
 * has it. A latent no larger than a tile takes one call.
 */
export async function decodedInTiles(
  decode: (part: FloatArray) => Promise<FloatArray>,
  latent: FloatArray,
  tile: readonly [number, number],
  scale: number,
): Promise<FloatArray> {
  const [rows, columns] = latent.shape.slice(2);
  const shape = [1, 3, rows * scale, columns * scale];
  const weights = new Float32Array(shape[2] * shape[3]);
  const picture = new Float32Array(3 * weights.length);
  for (const top of starts(rows, tile[0])) {
    const down = trust(top, tile[0], rows, scale);
    for (const left of starts(columns, tile[1])) {
      const across = trust(left, tile[1], columns, scale);
      const piece = await decode(cut(latent, top, left, tile));
      for (let from = 0; from < down.length * across.length; from++) {
        const [y, x] = [Math.floor(from / across.length), from % across.length];
        const to = (top * scale + y) * shape[3] + left * scale + x;
        const weight = Math.fround(down[y] * across[x]);
        weights[to] += weight;
        for (let c = 0; c < 3; c++) {
          const value = piece.data[c * down.length * across.length + from];
          picture[c * weights.length + to] += Math.fround(weight * value);
        }
      }
    }
  }
  return { data: picture.map((value, i) => value / weights[i % weights.length]), shape };
}

function cut(latent: FloatArray, top: number, left: number, [height, width]: readonly [number, number]): FloatArray {
  const [, channels, rows, columns] = latent.shape;
  const data = new Float32Array(channels * height * width);
  for (let line = 0; line < channels * height; line++) {
    const from = (Math.floor(line / height) * rows + top + (line % height)) * columns + left;
    data.set(latent.data.subarray(from, from + width), line * width);
  }
  return { data, shape: [1, channels, height, width] };
}

/** Where tiles begin along a side: evenly, none over the edge, each sharing `OVERLAP` with the next or more. */
export function starts(whole: number, part: number): number[] {
  if (whole < part || (whole > part && part <= OVERLAP)) {
    throw new TryOnError("not-a-bundle", `decoder tiles of ${part} do not cover ${whole}: export the bundle again`);
  }
  const count = whole === part ? 1 : 1 + Math.ceil((whole - part) / (part - OVERLAP));
  return Array.from({ length: count }, (_, i) => roundHalfToEven((i * (whole - part)) / Math.max(1, count - 1)));
}

/** How much each pixel along a side counts: nothing near an edge that is not the picture's, one further inside. */
function trust(start: number, part: number, whole: number, scale: number): Float32Array {
  const length = part * scale;
  const third = (OVERLAP * scale) / 3;
  return Float32Array.from({ length }, (_, i) => {
    const before = start > 0 ? i + 0.5 : Infinity;
    const after = start + part < whole ? length - i - 0.5 : Infinity;
    return Math.min(1, Math.max(0, (Math.min(before, after) - third) / third));
  });
}
