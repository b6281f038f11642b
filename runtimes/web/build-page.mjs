// Puts the page of `lite-vton serve` into dist/page: two scripts, of which the worker is one since workers know no
// import maps. ONNX Runtime stays beside them, in dist/ort, fetched only when it is chosen.

import { cp } from "node:fs/promises";

import { build } from "esbuild";

const RUNTIMES = {
  "onnxruntime-web/wasm": "/ort/ort.wasm.bundle.min.mjs",
  "onnxruntime-web/webgpu": "/ort/ort.webgpu.bundle.min.mjs",
};

await build({
  entryPoints: ["page/main.ts", "page/worker.ts"],
  outdir: "dist/page",
  bundle: true,
  format: "esm",
  target: "es2022",
  logLevel: "warning",
  plugins: [
    {
      name: "served",
      setup: ({ onResolve }) =>
        onResolve({ filter: /^onnxruntime-web\// }, ({ path }) => ({ path: RUNTIMES[path], external: true })),
    },
  ],
});
for (const file of ["index.html", "page.css", "icon.svg"]) await cp(`page/${file}`, `dist/page/${file}`);
