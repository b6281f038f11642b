/** numpy's `.npz`: arrays by name in a zip. Enough of both formats for what numpy itself writes, no more. */

import { TryOnError } from "./errors.js";

/** Numbers in C order; a numpy string is its characters, shape []. */
export interface NpyArray {
  readonly data: Float32Array | BigInt64Array | Uint8Array | string;
  readonly shape: readonly number[];
}

/** The arrays in the bytes of an npz by name. Rejects with a `TryOnError` ("not-a-bundle") for anything else. */
export async function readNpz(bytes: Uint8Array<ArrayBuffer>): Promise<Record<string, NpyArray>> {
  try {
    const arrays: Record<string, NpyArray> = {};
    for (const { name, content } of entries(bytes)) arrays[name.replace(/\.npy$/, "")] = npy(await content());
    return arrays;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TryOnError("not-a-bundle", `this is no npz of plain arrays (${reason}): export the bundle again`, {
      cause: error,
    });
  }
}

interface Entry {
  readonly name: string;
  readonly content: () => Promise<Uint8Array<ArrayBuffer>>;
}

const END = 0x06054b50;
const CENTRAL = 0x02014b50;

/** What the zip's central directory lists (PKWARE's APPNOTE, 4.3.12 and 4.3.16); local headers may lack sizes. */
function* entries(bytes: Uint8Array<ArrayBuffer>): Generator<Entry, void> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = view.byteLength - 22; // numpy writes no comment
  if (view.getUint32(end, true) !== END) throw new Error("no zip directory at its end");
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    if (view.getUint32(at, true) !== CENTRAL) throw new Error("damaged zip directory");
    const method = view.getUint16(at + 10, true);
    const length = view.getUint32(at + 20, true);
    const [name, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    const local = view.getUint32(at + 42, true);
    const from = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const packed = bytes.subarray(from, from + length);
    yield {
      name: new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + name)),
      content: () => (method === 0 ? Promise.resolve(packed) : inflated(packed)),
    };
    at += 46 + name + extra + comment;
  }
}

async function inflated(packed: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** By numpy's own names of element types; all little-endian, as are the machines that browsers run on. */
const TYPES: Readonly<Record<string, (buffer: ArrayBuffer) => NpyArray["data"]>> = {
  "<f4": (buffer) => new Float32Array(buffer),
  "<i8": (buffer) => new BigInt64Array(buffer),
  "|u1": (buffer) => new Uint8Array(buffer),
};

/** One `.npy` (numpy's NEP 1): a header that is a literal of Python, then the numbers. */
function npy(bytes: Uint8Array<ArrayBuffer>): NpyArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = bytes[6] === 1 ? 10 : 12;
  const data = start + (bytes[6] === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  const header = new TextDecoder().decode(bytes.subarray(start, data));
  const [, type, sides] = /'descr': '([^']+)', 'fortran_order': False, 'shape': \(([^)]*)\)/.exec(header) ?? [];
  if (type === undefined) throw new Error(`an array that is ${header.trim() || "empty"}`);
  const shape = sides
    .split(",")
    .filter((side) => side.trim() !== "")
    .map(Number);
  const content = bytes.slice(data).buffer;
  if (/^<U\d+$/.test(type))
    return { data: String.fromCodePoint(...new Uint32Array(content).filter((code) => code > 0)), shape };
  const read = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
  if (read === undefined) throw new Error(`an array of ${type}`);
  return { data: read(content), shape };
}
