// Puts what a browser needs of ONNX Runtime Web into dist/ort, so that the package is served whole, from one place.

import { cp } from "node:fs/promises";

const FILES = [
  "ort.wasm.bundle.min.mjs",
  "ort-wasm-simd-threaded.wasm",
  "ort.webgpu.bundle.min.mjs",
  "ort-wasm-simd-threaded.asyncify.wasm",
];

const [from, to] = ["node_modules/onnxruntime-web/dist/", "dist/ort/"].map((path) => new URL(path, import.meta.url));
for (const file of FILES) await cp(new URL(file, from), new URL(file, to), { preserveTimestamps: true });
