import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { METHODS, TryOnError } from "../dist/index.js";
import type { Component } from "../dist/index.js";
import { readManifest } from "../dist/manifest.js";
import { sample } from "../dist/sampler.js";
import type { Sampling, Step } from "../dist/sampler.js";
import { levels } from "../dist/schedule.js";
import { floats, folder, references } from "./references.js";

const { schedule } = readManifest(await readFile(`${folder("TINY")}/manifest.json`, "utf8"));
const [start, conditions] = [floats(references, "start"), floats(references, "conditions")];

/** A U-Net that anybody can compute to the last bit: half the noisy latent and a quarter of what follows it. */
const halves: Component = ({ sample }) => {
  const size = start.data.length;
  const given = sample.data as Float32Array;
  const eps = start.data.map((_, i) => given[i] * 0.5 + given[i + size] * 0.25);
  return Promise.resolve({ out_sample: { data: eps, shape: start.shape } });
};

async function sampled(sampling: Partial<Sampling>, unet = halves): Promise<Step[]> {
  const done: Step[] = [];
  const how = { method: "ddim", steps: 2, seed: 3, ...sampling };
  for await (const step of sample(unet, conditions, start, schedule, how)) done.push(step);
  return done;
}

for (const key of Object.keys(references).filter((key) => key.startsWith("timesteps."))) {
  test(`${key} are Python's`, () => {
    const found = levels(schedule, Number(key.slice("timesteps.".length)));
    assert.deepEqual(
      found.map(({ timestep }) => BigInt(timestep)),
      [...(references[key].data as BigInt64Array)],
    );
    assert(found.every(({ timestep, alphaBar }) => alphaBar === schedule.alphas_cumprod[timestep]));
  });
}

for (const method of Object.keys(METHODS)) {
  for (const steps of [1, 2, 5]) {
    test(`${method} in ${steps} steps ends where Python's does, bit for bit`, async () => {
      const done = await sampled({ method, steps });
      assert.equal(done.length, steps);
      assert.deepEqual(done[steps - 1].xPrev.data, floats(references, `sample.${method}.${steps}`).data);
    });
  }
}

test("Python has no method that is missing here", () => {
  const keys = Object.keys(references).filter((key) => key.startsWith("sample."));
  assert.deepEqual(new Set(keys.map((key) => key.split(".")[1])), new Set(Object.keys(METHODS)));
});

test("each step hands its result to the next", async () => {
  const done = await sampled({ method: "lcm", steps: 4 });
  for (const [index, step] of done.entries()) {
    assert.deepEqual([step.index, step.steps], [index, 4]);
    if (index > 0) assert.equal(step.xT.data, done[index - 1].xPrev.data);
  }
});

const WRONG: Record<string, Partial<Sampling>> = {
  "no step": { steps: 0 },
  "half a step": { steps: 1.5 },
  "more steps than timesteps": { steps: 601 },
  "an unknown method": { method: "dpm" },
  "a method out of JavaScript": { method: "constructor" },
  "a negative seed": { seed: -1 },
};
for (const [what, sampling] of Object.entries(WRONG)) {
  test(`${what} is refused before the network is asked`, async () => {
    const never: Component = () => assert.fail("asked");
    await assert.rejects(sampled(sampling, never), (error: TryOnError) => error.trouble === "options");
  });
}

test("a network that answers NaN stops the sampling", async () => {
  const spoilt: Component = () =>
    Promise.resolve({ out_sample: { data: start.data.map(() => NaN), shape: start.shape } });
  await assert.rejects(sampled({}, spoilt), (error: TryOnError) => error.trouble === "network");
});
