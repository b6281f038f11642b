/** A bundle's networks as sessions of ONNX Runtime, offered as functions from arrays to arrays. */

import type { InferenceSession, OnnxValue } from "onnxruntime-common";

import { checkShape } from "./arrays.js";
import type { Component, FloatArray, IntArray } from "./arrays.js";
import type { Bundle, Fetching } from "./bundle.js";
import { TryOnError, throwIfCancelled } from "./errors.js";
import type { ComponentTensors } from "./manifest.js";
import type { OnnxRuntime, Provider } from "./providers.js";

/** Runs work in the order it comes: ONNX Runtime Web refuses a call while another is under way, of any session. */
const turn = oneAtATime();

/** Started networks. */
export interface Sessions {
  /** The networks by name: `vae_encoder`, `unet`, `vae_decoder`, with CLIP `image_encoder`. */
  readonly components: Readonly<Record<string, Component>>;
  /** Frees the sessions and their memory, after the call that is under way. */
  dispose(): Promise<void>;
}

/**
 * Fetches each network at `precision` and starts it on `provider`, one after another, so that no two files are held.
 *
 * Rejects with a `TryOnError`: those of `Bundle.models` and `Bundle.read`, "memory" or "network"; then all is freed.
 */
export async function startSessions(
  bundle: Bundle,
  precision: string,
  provider: Provider,
  fetching: Fetching = {},
): Promise<Sessions> {
  const models = bundle.models(precision);
  const names = Object.keys(models);
  const sessions: InferenceSession[] = [];
  const release = async (): Promise<void> => {
    for (const session of sessions.splice(0)) await session.release();
  };
  const components: Record<string, Component> = {};
  try {
    for await (const bytes of bundle.read(Object.values(models), fetching)) {
      const name = names[sessions.length];
      const tensors = bundle.manifest.components[name];
      const session = await turn(() => start(name, bytes, tensors, provider));
      sessions.push(session);
      components[name] = (inputs) => turn(() => run(name, session, tensors, provider.runtime, inputs));
      throwIfCancelled(fetching.signal);
    }
  } catch (error) {
    await turn(release);
    throw error;
  }
  return { components, dispose: () => turn(release) };
}

async function start(
  name: string,
  bytes: Uint8Array,
  tensors: ComponentTensors,
  provider: Provider,
): Promise<InferenceSession> {
  const session = await provider.runtime.InferenceSession.create(bytes, {
    executionProviders: [provider.name],
    logSeverityLevel: 3, // errors; ONNX Runtime warns about each operator a GPU leaves to the CPU
    enableCpuMemArena: false, // the arena never gives back its largest moment
  }).catch((error: unknown) => {
    throw translated(error, `${name} cannot be started on ${provider.name}`);
  });
  const wrong = [
    ...differences(session.inputMetadata, tensors.inputs),
    ...differences(session.outputMetadata, tensors.outputs),
  ];
  if (wrong.length === 0) return session;
  await session.release();
  throw new TryOnError(
    "not-a-bundle",
    `the file of ${name} is not as the manifest says (${wrong.join(", ")}): export the bundle again`,
  );
}

/** What a file has otherwise than its manifest: `sample (1, 3, 64, 48) float32`. */
function differences(found: readonly InferenceSession.ValueMetadata[], declared: ComponentTensors["inputs"]): string[] {
  const told = (name: string, shape: readonly unknown[], type: string): string =>
    `${name} (${shape.join(", ")}) ${type}`;
  const inManifest = declared.map(({ name, shape, dtype }) => told(name, shape, dtype));
  const inFile = found.map((each) => (each.isTensor ? told(each.name, each.shape, each.type) : each.name));
  return inFile
    .filter((each) => !inManifest.includes(each))
    .concat(inManifest.filter((each) => !inFile.includes(each)));
}

async function run(
  component: string,
  session: InferenceSession,
  tensors: ComponentTensors,
  { Tensor }: OnnxRuntime,
  inputs: Readonly<Record<string, FloatArray | IntArray>>,
): Promise<Record<string, FloatArray>> {
  const feeds: Record<string, OnnxValue> = {};
  for (const { name, shape } of tensors.inputs) {
    const given = inputs[name];
    checkShape(`${name} of ${component}`, given, shape);
    feeds[name] =
      given.data instanceof Float32Array
        ? new Tensor("float32", given.data, given.shape)
        : new Tensor("int64", given.data, given.shape);
  }
  const answers = await session.run(feeds).catch((error: unknown) => {
    throw translated(error, `${component} failed`);
  });
  return Object.fromEntries(
    tensors.outputs.map(({ name, shape }) => {
      const { data, dims } = answers[name];
      const answer: FloatArray = { data: data as Float32Array, shape: dims }; // the file's type was checked at its start
      checkShape(`${name} of ${component}`, answer, shape);
      return [name, answer];
    }),
  );
}

const OUT_OF_MEMORY = /bad_alloc|out of memory|\bOOM\b|failed to allocate|allocation failed|array buffer allocation/i;

/** ONNX Runtime's errors have several lines; what is thrown as a bare number is C++ out of memory in WebAssembly. */
function translated(error: unknown, what: string): TryOnError {
  const [said] = (error instanceof Error ? error.message : String(error)).split("\n");
  if (typeof error === "number" || OUT_OF_MEMORY.test(said)) {
    const advice = "out of memory; close other tabs, or use a smaller or int8 bundle";
    return new TryOnError("memory", `${what}: ${advice}`, { cause: error });
  }
  return new TryOnError("network", `${what}: ${said}`, { cause: error });
}

function oneAtATime(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work, work);
    last = mine;
    return mine;
  };
}
