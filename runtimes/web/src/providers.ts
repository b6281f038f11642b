/** What runs the networks: ONNX Runtime Web on WebGPU or WebAssembly, loaded when it is chosen. */

import type { InferenceSessionFactory, TensorConstructor } from "onnxruntime-common";

import { TryOnError } from "./errors.js";

/** ONNX Runtime, whichever package it comes from. */
export interface OnnxRuntime {
  readonly InferenceSession: InferenceSessionFactory;
  readonly Tensor: TensorConstructor;
}

/** One execution provider; `name` is ONNX Runtime's own and what reports call it. */
export interface Provider {
  readonly name: string;
  readonly runtime: OnnxRuntime;
}

/** What a page can ask for. `auto` is WebGPU where the browser has a usable adapter, WebAssembly otherwise. */
export type WebChoice = "auto" | keyof typeof LOADERS;

/** Each is fetched only when it is chosen: 27 MB of WebAssembly with WebGPU, 14 MB without. */
const LOADERS = {
  webgpu: (): Promise<OnnxRuntime> => import("onnxruntime-web/webgpu"),
  wasm: (): Promise<OnnxRuntime> => import("onnxruntime-web/wasm"),
} as const;

/** The provider of that name in this browser. Rejects with a `TryOnError` ("webgpu") where it was asked for in vain. */
export async function webProvider(choice: WebChoice = "auto"): Promise<Provider> {
  const name = choice === "auto" ? ((await hasWebGpu()) ? "webgpu" : "wasm") : choice;
  if (name === "webgpu" && choice === "webgpu" && !(await hasWebGpu())) {
    throw new TryOnError("webgpu", "this browser has no WebGPU adapter: choose wasm, or auto");
  }
  return { name, runtime: await LOADERS[name]() };
}

async function hasWebGpu(): Promise<boolean> {
  const gpu = (globalThis.navigator as { gpu?: { requestAdapter(): Promise<unknown> } } | undefined)?.gpu;
  // Browsers with WebGPU switched off for this device answer null.
  return gpu !== undefined && (await gpu.requestAdapter()) !== null;
}
