/** Where a try-on can run: this browser's providers and the server's backends, each at the precisions there are. */

import { webProvider } from "../src/index.js";
import type { Place } from "./messages.js";
import type { Models, ServerPlace } from "./on_server.js";

/** One choice. `label` is what people read; exactly one of `browser` and `server` is there. */
export interface Choice {
  readonly label: string;
  readonly browser?: Place;
  readonly server?: ServerPlace;
}

const NAMES: Readonly<Record<string, string>> = {
  wasm: "WebAssembly",
  webgpu: "WebGPU",
  onnxruntime: "ONNX Runtime",
  openvino: "OpenVINO",
  tensorrt: "TensorRT",
  coreai: "Core AI",
  torch: "PyTorch",
};

/** A choice in a line. */
export function placeOf({ label, browser }: Choice): string {
  return `${browser ? "Browser" : "Server"}: ${label}`;
}

/** Everything that can be chosen here, what this browser is best at first. */
export async function choices({ browser, server }: Models): Promise<Choice[]> {
  const found: Choice[] = [];
  for (const choice of ["webgpu", "wasm"] as const) {
    const lacks = choice === "wasm" ? [] : await lackedByWebGpu();
    if (lacks === undefined) continue;
    for (const precision of browser.filter((each) => !lacks.includes(each)))
      found.push({ label: `${NAMES[choice]}, ${precision}`, browser: { choice, precision } });
  }
  for (const place of server)
    found.push({ label: `${NAMES[place.backend] ?? place.backend}, ${place.precision}`, server: place });
  return found;
}

/** The precisions that WebGPU cannot compute here; undefined where there is no WebGPU. */
async function lackedByWebGpu(): Promise<readonly string[] | undefined> {
  try {
    return (await webProvider("webgpu")).lacks;
  } catch {
    return undefined;
  }
}
