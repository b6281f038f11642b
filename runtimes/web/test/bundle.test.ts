import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { Bundle, TryOn, TryOnError, webProvider } from "../dist/index.js";
import type { FetchFile, Progress, Starting, Trouble } from "../dist/index.js";
import { cpuProvider, folderSource, folderStore } from "../dist/node.js";
import { folder } from "./references.js";
import { served } from "./served.js";

const ROOT = folder("TINY");
const UNET = "onnx-fp32/unet/model.onnx";
const json = await readFile(join(ROOT, "manifest.json"), "utf8");
const unet = await readFile(join(ROOT, UNET));
const provider = await cpuProvider();

type Changed = Record<string, Uint8Array<ArrayBuffer> | string | undefined>;

/** The bundle's files but for those in `changed`; undefined: it is not there. */
function source(changed: Changed): FetchFile {
  const whole = folderSource(ROOT);
  return async (path) => {
    if (!Object.hasOwn(changed, path)) return whole(path);
    return new Response(changed[path] ?? null, { status: changed[path] === undefined ? 404 : 200 });
  };
}

/** The manifest with each text replaced by another. */
function rewritten(...replacements: [RegExp | string, string][]): Changed {
  const changed = replacements.reduce((text, [from, to]) => text.replace(from, to), json);
  assert.notEqual(changed, json);
  return { "manifest.json": changed };
}

function troubled(trouble: Trouble): (error: TryOnError) => boolean {
  return (error) => {
    assert(error instanceof TryOnError, String(error));
    assert.equal(error.trouble, trouble, error.message);
    assert(!error.message.includes("\n") && error.message.length < 400, error.message);
    return true;
  };
}

/** ONNX Runtime on a device with too little memory: what it throws in a browser, which no test can bring about at will. */
function exhausted(thrown: unknown): Starting {
  const InferenceSession = { create: () => Promise.reject(thrown) };
  return { provider: { ...provider, runtime: { ...provider.runtime, InferenceSession } } };
}

const altered = Uint8Array.from(unet, (byte, index) => (index === 1000 ? byte ^ 1 : byte));
const size = `"bytes": ${unet.length}`;

const REFUSED: Record<string, [Trouble, Changed, Starting?]> = {
  "a folder without a manifest": ["gone", { "manifest.json": undefined }],
  "a page of HTML": ["not-a-bundle", { "manifest.json": "<!doctype html>" }],
  "JSON of something else": ["not-a-bundle", { "manifest.json": `{"name": "pwa"}` }],
  "a number": ["not-a-bundle", { "manifest.json": "3" }],
  "a later schema": ["schema", rewritten([`"schema_version": 1`, `"schema_version": 2`])],
  "a path out of the bundle": ["not-a-bundle", rewritten([`"model": "${UNET}"`, `"model": "../${UNET}"`])],
  "an unlisted file": ["not-a-bundle", rewritten([`"model": "${UNET}"`, `"model": "unet.onnx"`])],
  "a condition nobody knows": [
    "schema",
    rewritten([`"name": "pose",\n      "start"`, `"name": "depth",\n      "start"`]),
  ],
  "another layout": ["not-a-bundle", rewritten([`"stop": 13`, `"stop": 12`])],
  "another prediction": ["not-a-bundle", rewritten([`"prediction_type": "epsilon"`, `"prediction_type": "sample"`])],
  "tensors that are not the file's": ["not-a-bundle", rewritten([/"out_sample"/, `"eps"`])],
  "a file that is gone": ["gone", { [UNET]: undefined }],
  "a file that is shorter": ["truncated", { [UNET]: new Uint8Array(unet.subarray(0, -1)) }],
  "a file that is longer": [
    "truncated",
    { [UNET]: Uint8Array.from({ length: unet.length + 1 }, (_, index) => unet[index] ?? 0) },
  ],
  "a file with one bit changed": ["truncated", { [UNET]: altered }],
  "a file larger than memory": ["memory", rewritten([size, `"bytes": ${2 ** 53 - 1}`])],
  "a precision the device cannot compute": [
    "precision",
    {},
    { provider: { ...provider, lacks: ["fp32", "fp16", "int8"] } },
  ],
  "a network larger than memory": ["memory", {}, exhausted(new RangeError("Array buffer allocation failed"))],
  "a bare number out of WebAssembly": ["memory", {}, exhausted(6119800)],
  "a precision it has not": ["precision", {}, { precision: "bf16" }],
};

for (const [what, [trouble, changed, starting]] of Object.entries(REFUSED)) {
  test(`${what} is refused`, async () => {
    const started = async (): Promise<void> => {
      const tryOn = await TryOn.open(source(changed), { provider, ...starting });
      const { height, width } = tryOn.bundle.manifest;
      const picture = { data: new Float32Array(3 * height * width), shape: [1, 3, height, width] };
      const mask = { data: picture.data.subarray(0, height * width), shape: [1, 1, height, width] };
      await tryOn.run({ person: picture, masked_person: picture, pose: picture, mask }, { steps: 1 });
    };
    await assert.rejects(started(), troubled(trouble));
  });
}

test("a file that is no network is refused by name", async () => {
  const bytes = new TextEncoder().encode("no network");
  const hash = Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("hex");
  const record = new RegExp(`("${UNET}": {\\s*"sha256": ")\\w+(",\\s*"bytes": )\\d+`);
  const changed = { ...rewritten([record, `$1${hash}$2${bytes.length}`]), [UNET]: bytes };
  await assert.rejects(TryOn.open(source(changed), { provider }), (error: TryOnError) => {
    return troubled("network")(error) && error.message.includes("unet");
  });
});

test("WebGPU is refused where there is none, before anything of it is loaded", async () => {
  await assert.rejects(webProvider("webgpu"), troubled("webgpu"));
});

test("the runtime is WebAssembly where WebGPU is not, and says so", async () => {
  assert.equal((await webProvider("auto")).name, "wasm");
});

test("a bundle opens by its URL, with a slash at its end or without", async () => {
  await using server = await served(ROOT);
  for (const url of [server.url, `${server.url}/`, new URL(server.url)]) {
    const tryOn = await TryOn.open(url, { provider });
    assert.equal(tryOn.precision, "fp32");
    await tryOn.dispose();
  }
});

test("a URL where nobody answers, or that is none, is refused", async () => {
  const server = await served(ROOT);
  await server[Symbol.asyncDispose]();
  for (const url of [server.url, "http://", "not a url"]) await assert.rejects(Bundle.open(url), troubled("gone"));
});

test("a connection that breaks off is told from a short file only in words", async () => {
  await using server = await served(ROOT, { breakOff: UNET });
  await assert.rejects(TryOn.open(server.url, { provider }), troubled("truncated"));
});

test("cancelling stops a download in its middle, and one that was cancelled before never starts", async () => {
  await using server = await served(ROOT, { hang: UNET });
  const abort = new AbortController();
  const onProgress = ({ path }: Progress): void => {
    if (path === UNET) setTimeout(() => abort.abort(), 20);
  };
  await assert.rejects(TryOn.open(server.url, { provider, onProgress, signal: abort.signal }), troubled("cancelled"));
  const asked = server.asked.length;
  await assert.rejects(Bundle.open(server.url, { signal: abort.signal }), troubled("cancelled"));
  assert.equal(server.asked.length, asked);
});

test("files that are kept are not fetched again, unless they were damaged meanwhile", async () => {
  const kept = await mkdtemp(join(tmpdir(), "lite-vton-"));
  await using server = await served(ROOT);
  const fetched = async (): Promise<string[]> => {
    server.asked.length = 0;
    const tryOn = await TryOn.open(server.url, { provider, store: folderStore(kept) });
    await tryOn.dispose();
    return server.asked.filter((path) => path !== "manifest.json");
  };
  assert.equal((await fetched()).length, 3);
  assert.deepEqual(await fetched(), []);
  await writeFile(join(kept, UNET), altered);
  assert.deepEqual(await fetched(), [UNET]);
  assert.deepEqual(await fetched(), []);
  await rm(kept, { recursive: true });
});

test("progress adds up to the bytes of all three networks", async () => {
  const seen: Progress[] = [];
  const tryOn = await TryOn.open(folderSource(ROOT), { provider, onProgress: (progress) => seen.push(progress) });
  const { files } = tryOn.bundle.manifest;
  const total = Object.values(tryOn.bundle.models("fp32")).reduce((sum, path) => sum + files[path].bytes, 0);
  assert(seen.every((progress) => progress.total === total));
  assert.equal(seen[seen.length - 1].loaded, total);
  await tryOn.dispose();
});
