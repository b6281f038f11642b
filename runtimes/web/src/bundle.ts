/** Open a bundle: nothing in it is believed before its paths, sizes and hashes are checked. */

import { downloaded, downloadedText, matches } from "./download.js";
import type { FetchFile } from "./download.js";
import { TryOnError } from "./errors.js";
import { readManifest } from "./manifest.js";
import type { FileRecord, Manifest } from "./manifest.js";
import { urlBelow } from "./paths.js";
import { browserStore } from "./store.js";
import type { Store } from "./store.js";

/** How far fetching is: bytes so far of all that was asked for, and the file they came from last. */
export interface Progress {
  readonly path: string;
  readonly loaded: number;
  readonly total: number;
}

/** Options of what fetches files. */
export interface Fetching {
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Options of `Bundle.open`. Files are kept in `store`, or with null nowhere; by default in the browser's cache. */
export interface Opening {
  readonly store?: Store | null | undefined;
  readonly signal?: AbortSignal | undefined;
}

const MOST_TEXT = 64 << 20; // bytes; a manifest beyond this is not one of ours

/** A bundle whose manifest has been read; other files come when they are asked for. */
export class Bundle {
  private constructor(
    /** What the bundle says of itself. */
    readonly manifest: Manifest,
    private readonly fetchFile: FetchFile,
    private readonly store: Store | undefined,
  ) {}

  /**
   * The bundle below a URL, or whose files `source` fetches (those are kept only in a `store` that is given).
   *
   * Rejects with a `TryOnError`: "gone", "not-a-bundle", "schema" or "cancelled".
   */
  static async open(source: string | URL | FetchFile, { store, signal }: Opening = {}): Promise<Bundle> {
    const base = typeof source === "function" ? undefined : folderUrl(source);
    const fetchFile = typeof source === "function" ? source : fromUrl(folderUrl(source));
    const manifest = readManifest(await downloadedText(fetchFile, "manifest.json", MOST_TEXT, signal));
    const kept = store === undefined ? base && browserStore(base) : (store ?? undefined);
    return new Bundle(manifest, fetchFile, kept);
  }

  /** Precisions of the ONNX files in it, such as `fp32`. */
  get precisions(): string[] {
    return this.onnx().map((artifact) => artifact.precision);
  }

  /**
   * The path of each network's ONNX file at a precision.
   *
   * Throws a `TryOnError`: "precision" if there is none, "not-a-bundle" if a network is missing from it.
   */
  models(precision: string): Readonly<Record<string, string>> {
    const artifact = this.onnx().find((each) => each.precision === precision);
    if (artifact === undefined) {
      const known = this.precisions.join(", ") || "no ONNX at all";
      throw new TryOnError("precision", `the bundle has no ONNX at precision ${precision}, it has ${known}: export it`);
    }
    return Object.fromEntries(
      Object.keys(this.manifest.components).map((name) => {
        if (Object.hasOwn(artifact.components, name)) return [name, artifact.components[name].model];
        throw new TryOnError("not-a-bundle", `${name} is not among the ${precision} files: export the bundle again`);
      }),
    );
  }

  /**
   * The bytes of these files, one after another, from the store or fetched; sizes and hashes are the manifest's.
   *
   * Throws a `TryOnError`: "gone", "truncated", "memory", "cancelled", or "not-a-bundle" for a file that is not listed.
   */
  async *read(
    paths: readonly string[],
    { onProgress, signal }: Fetching = {},
  ): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    const records = paths.map((path) => this.record(path));
    const total = records.reduce((sum, { bytes }) => sum + bytes, 0);
    let loaded = 0;
    for (const [index, path] of paths.entries()) {
      const onBytes = (count: number): void => onProgress?.({ path, loaded: (loaded += count), total });
      yield await this.file(path, records[index], onBytes, signal);
    }
  }

  private onnx(): Manifest["artifacts"][string][] {
    return Object.values(this.manifest.artifacts).filter(({ format }) => format === "onnx");
  }

  private record(path: string): FileRecord {
    const { files } = this.manifest;
    if (Object.hasOwn(files, path)) return files[path];
    throw new TryOnError("not-a-bundle", `${path} is not listed in the manifest: export the bundle again`);
  }

  private async file(
    path: string,
    record: FileRecord,
    onBytes: (count: number) => void,
    signal?: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const kept = await this.store?.get(path, record.sha256);
    if (kept && (await matches(kept, record))) {
      onBytes(kept.length);
      return kept;
    }
    const bytes = await downloaded(this.fetchFile, path, record, onBytes, signal);
    await this.store?.put(path, record.sha256, bytes);
    return bytes;
  }
}

/** Asks whether a file has changed: a browser's own cache may hold one from before the last export. */
function fromUrl(base: URL): FetchFile {
  return (path, signal) => fetch(urlBelow(base, path), { cache: "no-cache", signal: signal ?? null });
}

/** A URL that files can be resolved against, whether or not it was given with a slash at its end. */
function folderUrl(source: string | URL): URL {
  const url = parsed(source);
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

function parsed(source: string | URL): URL {
  try {
    return new URL(source, globalThis.location?.href);
  } catch {
    throw new TryOnError("gone", `${JSON.stringify(source)} is no URL: give the address of a bundle's folder`);
  }
}
