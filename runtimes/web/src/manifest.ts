/** What `manifest.json` says of what this package needs; the whole of it is in `docs/bundle.schema.json`. */

import { TryOnError } from "./errors.js";
import { isConfined } from "./paths.js";
import { ShapeError, above, list, optional, record, table, text, value, whole } from "./shape.js";
import type { Read } from "./shape.js";

/** The newest manifest this package reads. */
export const SCHEMA_VERSION = 1;

const KIND = "lite-vton-bundle";

const path = value("a plain path", (found): found is string => typeof found === "string" && isConfined(found));
const dtype = value("float32 or int64", (found): found is string => found === "float32" || found === "int64");
const tensor = record({ name: text(), shape: list(whole(1)), dtype: optional(dtype, "float32") });
const tensors = record({ inputs: list(tensor, 1), outputs: list(tensor, 1) });
const share = value("a number between 0 and 1", (v): v is number => typeof v === "number" && v > 0 && v < 1);
const schedule = record({
  num_train_timesteps: whole(1),
  prediction_type: optional(
    value(`"epsilon"`, (v): v is "epsilon" => v === "epsilon"),
    "epsilon",
  ),
  alphas_cumprod: list(share, 1),
});

const manifest = record({
  height: whole(1),
  width: whole(1),
  latent_scale: above(0),
  default_steps: whole(1),
  default_sampler: text(),
  unet_channels: list(record({ name: text(), start: whole(0), stop: whole(1) }), 1),
  schedule,
  components: table(tensors),
  artifacts: table(record({ format: text(), precision: text(), components: table(record({ model: path })) })),
  golden: optional(path, undefined),
  files: table(record({ sha256: text("a sha256", /^[0-9a-f]{64}$/), bytes: whole(0) }), path),
});

/** The manifest, as far as a try-on needs it; field names are the file's own. Sizes in pixels. */
export type Manifest = Read<typeof manifest>;

/** The noise schedule as numbers: alpha-bar by timestep. */
export type Schedule = Read<typeof schedule>;

/** A network's tensors. */
export type ComponentTensors = Read<typeof tensors>;

/** A file's size and hash. */
export type FileRecord = Manifest["files"][string];

/**
 * The manifest in `json`, the text of the file.
 *
 * Throws a `TryOnError`: "not-a-bundle" for anything else, "schema" for one of a later lite-vton.
 */
export function readManifest(json: string): Manifest {
  const found = parsed(json);
  if (found.kind !== KIND) throw notOurs(`no kind ${JSON.stringify(KIND)} in it`);
  const version = found.schema_version;
  if (typeof version === "number" && version > SCHEMA_VERSION) {
    throw new TryOnError(
      "schema",
      `the bundle has schema version ${version}, this reads up to ${SCHEMA_VERSION}: upgrade`,
    );
  }
  try {
    const read = manifest(found, "");
    if (read.schedule.alphas_cumprod.length === read.schedule.num_train_timesteps) return read;
    throw new ShapeError("schedule.alphas_cumprod", "one number a timestep");
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new TryOnError("not-a-bundle", `manifest.json is wrong at ${error.message}; export the bundle again`);
  }
}

function parsed(json: string): Record<string, unknown> {
  try {
    const found: unknown = JSON.parse(json);
    if (typeof found === "object" && found !== null) return found as Record<string, unknown>;
  } catch {
    // Said below: to the caller a page of HTML and a number are the same mistake.
  }
  throw notOurs("not JSON");
}

function notOurs(reason: string): TryOnError {
  return new TryOnError(
    "not-a-bundle",
    `manifest.json describes no bundle (${reason}): give what lite-vton export wrote`,
  );
}
