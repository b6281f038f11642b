/** What a bundle's networks want to be given, worked out of its manifest once and checked. */

import { TryOnError } from "./errors.js";
import type { Manifest } from "./manifest.js";

/**
 * `conditions` are what the U-Net is told after the noisy latent, in the order of their channels.
 *
 * `latent` (1, C, h, w); `encoderBatch` pictures a call of the encoder; `decoderTile` (h, w) where the decoder takes
 * less than the whole latent; `garment` the shape of the garment's picture where there is an image encoder.
 */
export interface Needs {
  readonly conditions: readonly string[];
  readonly latent: readonly number[];
  readonly downscale: number;
  readonly encoderBatch: number;
  readonly decoderTile: readonly [number, number] | undefined;
  readonly garment: readonly number[] | undefined;
}

/** Throws a `TryOnError` ("not-a-bundle") for a manifest that contradicts itself. */
export function needsOf({ components, height, unet_channels: channels }: Manifest): Needs {
  const input = (component: string, name: string): readonly number[] => {
    const found = components[component]?.inputs.find((tensor) => tensor.name === name);
    if (found?.shape.length === 4) return found.shape;
    throw contradiction(`${component} has no picture or latent ${name}`);
  };
  const [, told, rows, columns] = input("unet", "sample");
  const [first, ...conditions] = channels;
  const [encoderBatch] = input("vae_encoder", "sample");
  const tile = input("vae_decoder", "latent_sample").slice(2);
  if (first.name !== "noisy_latent" || channels.some(({ start }, i) => start !== (channels[i - 1]?.stop ?? 0))) {
    throw contradiction("unet_channels do not follow one another from the noisy latent on");
  }
  if (channels[channels.length - 1].stop !== told)
    throw contradiction(`unet_channels are not the ${told} of the U-Net`);
  if (height % rows !== 0) throw contradiction(`a latent of ${rows} rows for ${height} pixels`);
  return {
    conditions: conditions.map(({ name }) => name),
    latent: [1, first.stop, rows, columns],
    downscale: height / rows,
    encoderBatch,
    decoderTile: tile[0] === rows && tile[1] === columns ? undefined : [tile[0], tile[1]],
    garment: "image_encoder" in components ? input("image_encoder", "pixel_values") : undefined,
  };
}

function contradiction(what: string): TryOnError {
  return new TryOnError("not-a-bundle", `manifest.json contradicts itself (${what}): export the bundle again`);
}
