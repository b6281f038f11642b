/** What a Node program adds: ONNX Runtime for Node, bundles in folders, and a folder to keep fetched files in. */

import { mkdir, open, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";

import type { FetchFile } from "./download.js";
import type { Provider } from "./providers.js";
import type { Store } from "./store.js";

/** ONNX Runtime's CPU provider. It reports nothing to its maker: the variable is read when the library is loaded. */
export async function cpuProvider(): Promise<Provider> {
  process.env.ORT_DISABLE_TELEMETRY = "1";
  return { name: "cpu", runtime: await import("onnxruntime-node"), lacks: [] };
}

/** Fetches the files of the bundle in `folder`. */
export function folderSource(folder: string): FetchFile {
  return async (path) => {
    const file = await open(join(folder, path)).catch(ifMissing(undefined));
    if (file === undefined) return new Response(null, { status: 404 });
    return new Response(Readable.toWeb(file.createReadStream()) as ReadableStream<Uint8Array>);
  };
}

/** Keeps fetched files below `folder`, by their paths in the bundle: one folder a bundle. */
export function folderStore(folder: string): Store {
  return {
    // Of another version than asked for: the bundle sees that by its hash.
    get: async (path) => {
      const kept = await readFile(join(folder, path)).catch(ifMissing(undefined));
      return kept && new Uint8Array(kept);
    },
    put: async (path, sha256, bytes) => {
      const file = join(folder, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(`${file}.${sha256}`, bytes);
      await rename(`${file}.${sha256}`, file);
    },
  };
}

function ifMissing<T>(instead: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return instead;
    throw error;
  };
}
