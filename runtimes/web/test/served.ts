/** A folder over HTTP on loopback, with the faults that networks have. */

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** Paths to answer half of: then the connection breaks, or nothing more comes. */
export interface Faults {
  readonly breakOff?: string;
  readonly hang?: string;
}

export interface Served extends AsyncDisposable {
  readonly url: string;
  /** Paths that were asked for, in order. */
  readonly asked: string[];
}

export async function served(root: string, { breakOff, hang }: Faults = {}): Promise<Served> {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const path = (request.url ?? "").replace(/^\/bundle\//, "");
    asked.push(path);
    const bytes = await readFile(join(root, path)).catch(() => undefined);
    if (bytes === undefined) return response.writeHead(404).end();
    response.writeHead(200, { "Content-Length": bytes.length });
    if (path !== breakOff && path !== hang) return response.end(bytes);
    response.write(bytes.subarray(0, bytes.length / 2));
    return path === hang || setTimeout(() => response.destroy(), 20);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/bundle`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
