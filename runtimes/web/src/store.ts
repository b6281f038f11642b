/** Where files of bundles stay from one visit to the next. */

import { urlBelow } from "./paths.js";

/** Keeps bytes by path and hash. What it gives back is checked like what came over the network. */
export interface Store {
  /** The bytes of this version of the file; undefined if it is not kept. */
  get(path: string, sha256: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Keep them in place of any other version of that file; where there is no room, do nothing. */
  put(path: string, sha256: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

const NAME = "lite-vton";

/** The browser's Cache API, a key being the file's URL below `base` and its hash; undefined where there is none. */
export function browserStore(base: URL): Store | undefined {
  // Missing in Node, and in pages that came over plain HTTP from another machine.
  if (typeof caches === "undefined") return undefined;
  const key = (path: string, sha256: string): URL => new URL(`?sha256=${sha256}`, urlBelow(base, path));
  return {
    async get(path, sha256) {
      const kept = await (await caches.open(NAME)).match(key(path, sha256));
      return kept && new Uint8Array(await kept.arrayBuffer());
    },
    async put(path, sha256, bytes) {
      const cache = await caches.open(NAME);
      await cache.delete(key(path, sha256), { ignoreSearch: true });
      await cache.put(key(path, sha256), new Response(bytes)).catch(ignoreFullDisk);
    },
  };
}

/** Frees all that `browserStore` keeps for this page's origin. */
export async function clearBrowserStore(): Promise<void> {
  if (typeof caches !== "undefined") await caches.delete(NAME);
}

function ignoreFullDisk(error: unknown): void {
  if (!(error instanceof DOMException && error.name === "QuotaExceededError")) throw error;
}
