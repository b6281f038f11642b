import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { TryOnError, readNpz } from "../dist/index.js";
import { folder, npz } from "./references.js";

const GOLDEN = "golden/trajectory.npz";

test("numbers, strings and shapes come out as numpy put them in", async () => {
  const golden = await npz(folder("TINY"), GOLDEN);
  assert.deepEqual(golden.method, { data: "ddim", shape: [] });
  assert.deepEqual(golden.seed, { data: BigInt64Array.of(7n), shape: [] });
  assert.deepEqual(golden["unet.001.in.timestep"], { data: BigInt64Array.of(399n), shape: [1] });
  assert.deepEqual([golden.picture.shape, golden.picture.data.length], [[64, 48, 3], 64 * 48 * 3]);
  assert.deepEqual(golden["inputs.mask"].shape, [1, 1, 64, 48]);
});

test("what is damaged anywhere is read, or refused in one line", async () => {
  const whole = new Uint8Array(await readFile(join(folder("TINY"), GOLDEN)));
  let refused = 0;
  for (let i = 0; i < 60; i++) {
    const at = Math.floor((i / 59) * (whole.length - 1));
    const flipped = whole.slice();
    flipped[at] ^= 0xff;
    for (const damaged of [flipped, whole.slice(0, at)]) {
      refused += await readNpz(damaged).then(
        () => 0,
        (error: unknown) => (assert(error instanceof TryOnError && !error.message.includes("\n"), String(error)), 1),
      );
    }
  }
  assert(refused >= 60, `${refused} refused`);
});
