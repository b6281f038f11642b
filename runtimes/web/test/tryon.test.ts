import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Bundle, TryOn, TryOnError } from "../dist/index.js";
import type { Component, FloatArray, Running, TryOnInputs } from "../dist/index.js";
import { cpuProvider, folderSource } from "../dist/node.js";
import { floats, folder, npz, psnr } from "./references.js";
import type { Arrays } from "./references.js";

/** In dB, of each answer and of the picture; fp16 and int8 as in docs/bundle.md. */
const GATES = { fp32: [70, 60], fp16: [40, 35], int8: [30, 28] } as const;

for (const [name, precision] of [
  ["TINY", "fp32"],
  ["TINY", "fp16"],
  ["TINY", "int8"],
  ["TINY_CLIP", "fp32"],
  ["TINY_WIDE", "fp32"],
  ["TINY_WIDE", "fp16"],
] as const) {
  describe(`the golden trajectory of ${name} at ${precision}`, () => {
    let [golden, inputs]: [Arrays, TryOnInputs] = [{}, {} as TryOnInputs];
    let tryOn: TryOn;
    const [ofAnswers, ofPicture] = GATES[precision];
    before(async () => {
      golden = await npz(folder(name), "golden/trajectory.npz");
      inputs = inputsOf(golden);
      tryOn = await TryOn.open(folderSource(folder(name)), { provider: await cpuProvider(), precision });
    });
    after(() => tryOn.dispose());

    test("each network answers each call", async () => {
      const answers = Object.keys(golden).filter((key) => key.includes(".out."));
      assert(answers.length >= 6);
      for (const key of answers) {
        const [component, call, , tensor] = key.split(".");
        const found = await tryOn.components[component](given(golden, `${component}.${call}.in.`));
        assert(psnr(found[tensor].data, floats(golden, key).data) >= ofAnswers, key);
      }
    });

    test("the picture of the same seed is Python's", async () => {
      const steps: number[] = [];
      const { picture, decoded } = await tryOn.run(inputs, {
        ...samplingOf(golden),
        onStep: ({ index }) => steps.push(index),
      });
      assert.deepEqual([picture.height, picture.width, 3], golden.picture.shape);
      assert(psnr(picture.data, golden.picture.data as Uint8Array, 255) >= ofPicture);
      assert(psnr(decoded.data, floats(golden, "decoded").data) >= ofAnswers);
      assert.deepEqual(steps, [0, 1, 2]);
    });
  });
}

describe("a try-on", () => {
  let [golden, inputs]: [Arrays, TryOnInputs] = [{}, {} as TryOnInputs];
  let tryOn: TryOn;
  before(async () => {
    golden = await npz(folder("TINY"), "golden/trajectory.npz");
    inputs = inputsOf(golden);
    tryOn = await TryOn.open(folderSource(folder("TINY")), { provider: await cpuProvider() });
  });
  after(() => tryOn.dispose());

  test("says what it runs on", () => {
    assert.deepEqual([tryOn.provider, tryOn.precision], ["cpu", "fp32"]);
  });

  test("takes method and steps from the manifest", async () => {
    const { default_sampler: method, default_steps: steps } = tryOn.bundle.manifest;
    const [left, right] = [await tryOn.run(inputs), await tryOn.run(inputs, { method, steps, seed: 0 })];
    assert.deepEqual(left, right);
  });

  test("depends on seed, method, steps and detail", async () => {
    const base = await tryOn.run(inputs, samplingOf(golden));
    const others: Running[] = [{ seed: 8 }, { method: "lcm" }, { steps: 2 }, { detail: false }];
    for (const other of others) {
      const { picture } = await tryOn.run(inputs, { ...samplingOf(golden), ...other });
      assert.notDeepEqual(picture.data, base.picture.data, JSON.stringify(other));
    }
  });

  test("can be asked for twice at once", async () => {
    const [left, right] = await Promise.all([1, 1].map((seed) => tryOn.run(inputs, { seed, steps: 2 })));
    assert.deepEqual(left, right);
  });

  test("stops at the step it is cancelled in, and another can follow", async () => {
    const abort = new AbortController();
    const steps: number[] = [];
    const onStep = ({ index }: { index: number }): void => {
      steps.push(index);
      if (index === 1) abort.abort();
    };
    await assert.rejects(tryOn.run(inputs, { steps: 6, onStep, signal: abort.signal }), troubled("cancelled"));
    assert.deepEqual(steps, [0, 1]);
    assert((await tryOn.run(inputs, { steps: 1 })).picture.data.length > 0);
  });

  test("refuses arrays that are missing, of another size, or shorter than they say", async () => {
    const { person } = inputs;
    const wide = { ...person, shape: [1, 3, person.shape[3], person.shape[2]] };
    const short = { ...person, data: person.data.subarray(1) };
    for (const wrong of [wide, short]) {
      await assert.rejects(tryOn.run({ ...inputs, person: wrong }), troubled("options"));
    }
    const { pose, ...without } = inputs;
    assert(pose);
    await assert.rejects(tryOn.run(without), troubled("options"));
  });
});

test("a model that looks at the garment refuses inputs without it", async () => {
  const tryOn = await TryOn.open(folderSource(folder("TINY_CLIP")), { provider: await cpuProvider() });
  const { garment, ...without } = inputsOf(await npz(folder("TINY_CLIP"), "golden/trajectory.npz"));
  assert(garment);
  await assert.rejects(tryOn.run(without), troubled("options"));
  await tryOn.dispose();
});

test("after it is disposed of it answers with an error, not with a crash", async () => {
  const tryOn = await TryOn.open(folderSource(folder("TINY")), { provider: await cpuProvider() });
  const inputs = inputsOf(await npz(folder("TINY"), "golden/trajectory.npz"));
  await tryOn.dispose();
  await tryOn.dispose();
  await assert.rejects(tryOn.run(inputs), TryOnError);
});

test("starting says how far it is, and nothing stays started when it is cancelled", async () => {
  const bundle = await Bundle.open(folderSource(folder("TINY")));
  const abort = new AbortController();
  const seen: number[] = [];
  const onProgress = ({ loaded, total }: { loaded: number; total: number }): void => {
    seen.push(loaded / total);
    if (loaded > total / 2) abort.abort();
  };
  const provider = await cpuProvider();
  await assert.rejects(TryOn.start(bundle, { provider, onProgress, signal: abort.signal }), troubled("cancelled"));
  assert(seen.length > 0 && seen.every((share, i) => share <= 1 && share > (seen[i - 1] ?? 0)));
});

function troubled(trouble: string): (error: TryOnError) => boolean {
  return (error) => error instanceof TryOnError && error.trouble === trouble && !error.message.includes("\n");
}

function inputsOf(golden: Arrays): TryOnInputs {
  const named = Object.keys(golden).filter((key) => key.startsWith("inputs."));
  return Object.fromEntries(
    named.map((key) => [key.slice("inputs.".length), floats(golden, key)]),
  ) as unknown as TryOnInputs;
}

function samplingOf({ method, steps, seed }: Arrays): Running {
  return { method: method.data as string, steps: Number(steps.data[0]), seed: seed.data[0] as bigint };
}

function given(golden: Arrays, prefix: string): Parameters<Component>[0] {
  const named = Object.entries(golden).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(named.map(([key, array]) => [key.slice(prefix.length), array as FloatArray]));
}
