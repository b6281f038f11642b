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
  /** Precisions that it cannot compute on this device. */
  readonly lacks: readonly string[];
}

/** What a page can ask for. `auto` is WebGPU where the browser has a usable adapter, WebAssembly otherwise. */
export type WebChoice = "auto" | "webgpu" | "wasm";

/** The provider of that name in this browser. Rejects with a `TryOnError` ("webgpu") where it was asked for in vain. */
export async function webProvider(choice: WebChoice = "auto"): Promise<Provider> {
  const adapter = choice === "wasm" ? null : await webGpuAdapter();
  // Each runtime is fetched only when it is chosen: 27 MB of WebAssembly with WebGPU, 14 MB without.
  if (adapter !== null) {
    const lacks = adapter.features.has("shader-f16") ? [] : ["fp16"];
    return { name: "webgpu", runtime: await import("onnxruntime-web/webgpu"), lacks };
  }
  if (choice === "webgpu") throw new TryOnError("webgpu", "this browser has no WebGPU adapter: choose wasm, or auto");
  return { name: "wasm", runtime: await import("onnxruntime-web/wasm"), lacks: [] };
}

/** As much of WebGPU as is asked here; its types are not yet among TypeScript's own for every browser. */
interface Adapter {
  readonly features: ReadonlySet<string>;
}

async function webGpuAdapter(): Promise<Adapter | null> {
  const { gpu } = (globalThis.navigator ?? {}) as { gpu?: { requestAdapter(): Promise<Adapter | null> } };
  // Browsers in which WebGPU is switched off for this device answer null.
  return (await gpu?.requestAdapter()) ?? null;
}
