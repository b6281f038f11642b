/** The server's calls, as functions. */

import { readNpz } from "../src/index.js";
import type { FloatArray } from "../src/arrays.js";
import type { NpyArray, Picture, TryOnInputs } from "../src/index.js";
import type { How } from "./in_browser.js";

/** What `/api/models` answers. */
export interface Models {
  readonly version: string;
  readonly model: string;
  readonly note: string;
  readonly height: number;
  readonly width: number;
  readonly steps: number;
  readonly sampler: string;
  readonly samplers: readonly string[];
  readonly browser: readonly string[];
  readonly server: readonly ServerPlace[];
  readonly left_out: readonly string[];
  readonly upload_bytes: number;
}

/** One of the server's backends. */
export interface ServerPlace {
  readonly backend: string;
  readonly precision: string;
}

/** Prepared photos: what the network is told, and pictures of it. */
export interface Prepared {
  readonly inputs: TryOnInputs;
  readonly previews: Readonly<Record<"person" | "mask" | "pose" | "warp", NpyArray>>;
}

/** A finished picture, as large as the person's photo. Seconds. */
export interface Dressed {
  readonly png: Blob;
  readonly load: number;
  readonly run: number;
}

/** One line that says what is wrong; `trouble` is a word of the server's. */
export class ServerError extends Error {
  constructor(
    readonly trouble: string,
    message: string,
  ) {
    super(message);
  }
}

/** What there is to choose from. */
export async function models(): Promise<Models> {
  return (await asked("/api/models", {})).json() as Promise<Models>;
}

/** `photos` has the files `person` and `garment`, and whatever else is known of them. */
export async function prepare(photos: FormData, signal: AbortSignal): Promise<Prepared> {
  const answer = await asked("/api/prepare", { method: "POST", body: photos, signal });
  const arrays = await readNpz(new Uint8Array(await answer.arrayBuffer()));
  const inputs = Object.keys(arrays).filter((name) => name.startsWith("inputs."));
  return {
    inputs: Object.fromEntries(
      inputs.map((name) => [name.slice("inputs.".length), arrays[name] as FloatArray]),
    ) as unknown as TryOnInputs,
    previews: {
      person: arrays["preview.person"],
      mask: arrays["preview.mask"],
      pose: arrays["preview.pose"],
      warp: arrays["preview.warp"],
    },
  };
}

/** The whole try-on on one of the server's backends. */
export async function tryOn(photos: FormData, place: ServerPlace, how: How, signal: AbortSignal): Promise<Dressed> {
  const form = copied(photos);
  for (const [name, value] of Object.entries({ ...place, ...how })) form.set(name, String(value));
  const answer = await asked("/api/try-on", { method: "POST", body: form, signal });
  const timing = answer.headers.get("server-timing") ?? "";
  const seconds = (name: string): number => Number(new RegExp(`\\b${name};dur=([\\d.]+)`).exec(timing)?.[1]) / 1000;
  return { png: await answer.blob(), load: seconds("load"), run: seconds("run") };
}

/** The crop that this browser sampled, put back into the photo. */
export async function paste(photos: FormData, picture: Picture, signal: AbortSignal): Promise<Blob> {
  const form = copied(photos);
  form.set("picture", new Blob([new Uint8Array(picture.data)]), "picture");
  return (await asked("/api/paste", { method: "POST", body: form, signal })).blob();
}

async function asked(path: string, how: RequestInit): Promise<Response> {
  const answer = await fetch(path, how).catch((error: unknown) => {
    if (how.signal?.aborted) throw new ServerError("cancelled", "cancelled: start again when you like");
    throw new ServerError("gone", `the server does not answer (${String(error)}): is lite-vton serve still running?`);
  });
  if (answer.ok) return answer;
  const said = (await answer.json().catch(() => ({}))) as { error?: string; trouble?: string };
  throw new ServerError(
    said.trouble ?? "internal",
    said.error ?? `the server answered ${answer.status}: see its terminal`,
  );
}

function copied(form: FormData): FormData {
  const copy = new FormData();
  form.forEach((value, name) => copy.append(name, value));
  return copy;
}
