/** Try-ons with a lite-vton bundle, in a browser or any host of ONNX Runtime; `./node.js` adds what Node has. */

export type { Component, FloatArray, IntArray } from "./arrays.js";
export { Bundle } from "./bundle.js";
export type { Fetching, Opening, Progress } from "./bundle.js";
export type { TryOnInputs } from "./conditions.js";
export type { FetchFile } from "./download.js";
export { TryOnError } from "./errors.js";
export type { Trouble } from "./errors.js";
export type { Manifest } from "./manifest.js";
export { METHODS } from "./methods.js";
export { gaussian } from "./noise.js";
export { readNpz } from "./npz.js";
export type { NpyArray } from "./npz.js";
export { toNetwork } from "./pictures.js";
export type { Picture } from "./pictures.js";
export { webProvider } from "./providers.js";
export type { Provider, WebChoice } from "./providers.js";
export type { Sampling, Step } from "./sampler.js";
export { browserStore, clearBrowserStore } from "./store.js";
export type { Store } from "./store.js";
export { TryOn } from "./tryon.js";
export type { Running, Starting, TryOnResult } from "./tryon.js";
