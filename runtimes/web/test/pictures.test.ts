import assert from "node:assert/strict";
import { test } from "node:test";

import { toNetwork } from "../dist/index.js";
import { carryDetail } from "../dist/detail.js";
import { composite, latentMask } from "../dist/pictures.js";
import { decodedInTiles, starts } from "../dist/tiles.js";
import type { FloatArray } from "../dist/index.js";
import { floats, psnr, references } from "./references.js";

const [height, width] = references.photo.shape;
const photo = { data: references.photo.data as Uint8Array, height, width };

test("pixels become what the networks see as in Python", () => {
  assert.deepEqual(toNetwork(photo), floats(references, "photo.network"));
});

test("a mask is made small as in Python", () => {
  assert.deepEqual(latentMask(floats(references, "mask"), 8), floats(references, "mask.latent"));
});

test("outside the mask every pixel is the person's own, inside the painted one, clipped and rounded", () => {
  const found = composite(floats(references, "painted"), toNetwork(photo), floats(references, "mask"));
  assert.deepEqual(found, { ...photo, data: references["painted.composite"].data });
});

for (const height of [64, 256]) {
  test(`detail is carried as in Python at ${height} rows`, () => {
    const [painted, pasted, reconstruction, wanted] = ["painted", "pasted", "reconstruction", "out"].map((name) =>
      floats(references, `detail.${height}.${name}`),
    );
    const found = carryDetail(painted, pasted, reconstruction);
    assert.deepEqual(found.shape, wanted.shape);
    assert(psnr(found.data, wanted.data) > 130);
    assert(psnr(painted.data, wanted.data) < 60); // something was carried
  });
}

for (const [tile, calls] of [
  [[40, 30], 1],
  [[16, 30], 7],
  [[20, 16], 20],
] as const) {
  test(`tiles of ${tile.join(" x ")} are blended as in Python`, async () => {
    let asked = 0;
    const decode = (part: FloatArray): Promise<FloatArray> => ((asked += 1), Promise.resolve(enlarged(part)));
    const found = await decodedInTiles(decode, floats(references, "tiles"), tile, 2);
    const wanted = floats(references, `tiles.${tile.join("x")}`);
    assert.deepEqual(found.shape, wanted.shape);
    assert(psnr(found.data, wanted.data) > 130);
    assert.equal(asked, calls);
  });
}

test("tiles that cannot cover the latent are refused", () => {
  assert.throws(() => starts(10, 11));
  assert.throws(() => starts(20, 12));
});

/** Three of the latent's channels, twice as large, the row within the tile added. */
function enlarged({ shape: [, , rows, columns], data }: FloatArray): FloatArray {
  const shape = [1, 3, 2 * rows, 2 * columns];
  const values = Float32Array.from({ length: 12 * rows * columns }, (_, i) => {
    const [x, y, c] = [i % shape[3], Math.floor(i / shape[3]) % shape[2], Math.floor(i / (shape[2] * shape[3]))];
    return data[(c * rows + (y >> 1)) * columns + (x >> 1)] + y / 64;
  });
  return { data: values, shape };
}
