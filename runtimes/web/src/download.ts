/** One file of a bundle, fetched with progress and held against the manifest. */

import { TryOnError, throwIfCancelled } from "./errors.js";
import type { FileRecord } from "./manifest.js";

/** Fetches a file by its path below the bundle; a response that is not ok means that it is not there. */
export type FetchFile = (path: string, signal?: AbortSignal) => Promise<Response>;

/**
 * The bytes of `path`, as long and with the sha256 as `record` says. `onBytes` is told of each piece that arrives.
 *
 * Throws a `TryOnError`: "gone", "truncated" (longer, or altered, as well), "memory" or "cancelled".
 */
export async function downloaded(
  fetchFile: FetchFile,
  path: string,
  record: FileRecord,
  onBytes: (count: number) => void,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = allocated(path, record.bytes); // before anything is opened that would have to be closed again
  const body = await opened(fetchFile, path, signal);
  let length = 0;
  for await (const piece of pieces(body, path, signal)) {
    if (length + piece.length > bytes.length) throw differs(path, `more than ${record.bytes} bytes`);
    bytes.set(piece, length);
    length += piece.length;
    onBytes(piece.length);
  }
  if (length !== bytes.length) throw differs(path, `${length} bytes of ${record.bytes}`);
  if (!(await matches(bytes, record))) throw differs(path, "another sha256 than its manifest says");
  return bytes;
}

/** The text of `path`, of at most `most` bytes; errors as `downloaded` has them. */
export async function downloadedText(
  fetchFile: FetchFile,
  path: string,
  most: number,
  signal?: AbortSignal,
): Promise<string> {
  const decoder = new TextDecoder();
  let [text, length] = ["", 0];
  for await (const piece of pieces(await opened(fetchFile, path, signal), path, signal)) {
    length += piece.length;
    if (length > most)
      throw new TryOnError("not-a-bundle", `${path} is larger than any of ours: give what lite-vton export wrote`);
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}

/** Whether bytes are those that the manifest means. */
export async function matches(bytes: Uint8Array<ArrayBuffer>, record: FileRecord): Promise<boolean> {
  if (bytes.length !== record.bytes) return false;
  if (globalThis.crypto?.subtle === undefined) {
    throw new TryOnError("insecure", "a browser checks no hashes on a page over plain HTTP: use https or localhost");
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") === record.sha256;
}

async function opened(fetchFile: FetchFile, path: string, signal?: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  throwIfCancelled(signal);
  const response = await fetchFile(path, signal).catch((error: unknown) => {
    throwIfCancelled(signal);
    throw new TryOnError("gone", `${path} cannot be fetched (${reason(error)}): look at the bundle's address`, {
      cause: error,
    });
  });
  if (response.ok && response.body) return response.body;
  throw new TryOnError("gone", `${path} is not there (status ${response.status}): look at the bundle's address`);
}

async function* pieces(
  body: ReadableStream<Uint8Array>,
  path: string,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const reader = body.getReader();
  try {
    for (;;) {
      throwIfCancelled(signal);
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    throwIfCancelled(signal);
    if (error instanceof TryOnError) throw error;
    throw differs(path, `broken off (${reason(error)})`);
  } finally {
    await reader.cancel().catch(() => undefined); // of a stream that is done or broken nothing more is wanted
  }
}

function allocated(path: string, length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (error) {
    throw new TryOnError(
      "memory",
      `no memory for the ${length} bytes of ${path}: close other tabs or use a smaller bundle`,
      { cause: error },
    );
  }
}

function differs(path: string, how: string): TryOnError {
  return new TryOnError("truncated", `${path} is damaged (${how}): copy or export the bundle again`);
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
