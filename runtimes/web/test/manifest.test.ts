import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { TryOnError } from "../dist/index.js";
import { readManifest } from "../dist/manifest.js";
import { needsOf } from "../dist/needs.js";
import { isConfined, urlBelow } from "../dist/paths.js";
import { folder } from "./references.js";

const json = await readFile(join(folder("TINY"), "manifest.json"), "utf8");

test("what the networks need is read from the manifest", async () => {
  assert.deepEqual(needsOf(readManifest(json)), {
    conditions: ["mask", "masked_person", "pose"],
    latent: [1, 4, 8, 6],
    downscale: 8,
    encoderBatch: 2,
    decoderTile: undefined,
    garment: undefined,
  });
  const clip = needsOf(readManifest(await readFile(join(folder("TINY_CLIP"), "manifest.json"), "utf8")));
  assert.deepEqual([clip.encoderBatch, clip.garment], [1, [1, 3, 224, 224]]);
  const wide = needsOf(readManifest(await readFile(join(folder("TINY_WIDE"), "manifest.json"), "utf8")));
  assert.deepEqual(wide.latent, [1, 8, 8, 6]);
});

test("fields of a later writer are passed over", () => {
  assert.deepEqual(readManifest(json.replace("{", `{"mood": "fine",`)), readManifest(json));
});

const WRONG = [null, true, -1, 0.5, 1e300, "", "x", "../x", [], [0], {}, { x: 1 }];

test("a manifest with any value replaced is read, or refused in one line", () => {
  let [read, refused] = [0, 0];
  for (const [holder, key] of everyValue(JSON.parse(json))) {
    const right = holder[key];
    for (const wrong of WRONG) {
      holder[key] = wrong;
      try {
        needsOf(readManifest(JSON.stringify(root)));
        read += 1;
      } catch (error) {
        assert(error instanceof TryOnError && !error.message.includes("\n"), String(error));
        refused += 1;
      }
    }
    holder[key] = right;
  }
  assert(read > 100 && refused > 1000, `${read} read, ${refused} refused`);
});

const UNREAD = ["kept_in_float32", "parity"];
let root: unknown;

/** Every place in the JSON that holds a value, with its holder; of lists the first two, and not what nobody reads. */
function everyValue(whole: unknown): [Record<string, unknown>, string][] {
  root = whole;
  const places: [Record<string, unknown>, string][] = [];
  const visit = (holder: unknown): void => {
    if (typeof holder !== "object" || holder === null) return;
    const keys = Object.keys(holder);
    for (const key of Array.isArray(holder) ? keys.slice(0, 2) : keys.filter((key) => !UNREAD.includes(key))) {
      places.push([holder as Record<string, unknown>, key]);
      visit((holder as Record<string, unknown>)[key]);
    }
  };
  visit(whole);
  return places;
}

for (const path of ["", ".", "..", "/a", "a/../b", "a//b", "a/", "a\\b", "C:/a", "a\n", " a", "a?b", "https://a"]) {
  test(`${JSON.stringify(path)} leaves the bundle`, () => assert(!isConfined(path)));
}

test("plain paths stay, whatever they mean to a URL", () => {
  assert(isConfined("onnx-fp32/unet/model.onnx") && isConfined("50 %/#1"));
  assert.equal(urlBelow(new URL("http://a/b/"), "50 %/#1").href, "http://a/b/50%20%25/%231");
});
