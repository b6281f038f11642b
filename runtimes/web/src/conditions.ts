/** What the U-Net is told: pictures encoded, masks made small, in the order of the manifest's channels. */

import { alongChannels, checkFinite, row, sizeOf, stacked } from "./arrays.js";
import type { Component, FloatArray } from "./arrays.js";
import { TryOnError } from "./errors.js";
import type { Needs } from "./needs.js";
import { latentMask } from "./pictures.js";

/**
 * One person crop and one garment, prepared at the model's own size, float32 NCHW; the names are those of the golden
 * trajectory's `inputs`.
 *
 * `person` (1, 3, H, W) in [-1, 1], the untouched crop. `mask` (1, 1, H, W) in {0, 1}, 1 = repaint. `masked_person`
 * (1, 3, H, W), the person with that region grey (0) and the warped garment pasted into it. `pose` (1, 3, H, W), the
 * skeleton on black, for a model that is told it. `garment` (1, 3, 224, 224), the garment on white, for a model with an
 * image encoder.
 */
export interface TryOnInputs {
  readonly person: FloatArray;
  readonly mask: FloatArray;
  readonly masked_person: FloatArray;
  readonly pose?: FloatArray;
  readonly garment?: FloatArray;
}

/** The latent (1, C, h, w) of the masked person, where sampling starts, and all conditions (1, K, h, w). */
export interface Conditioning {
  readonly start: FloatArray;
  readonly conditions: FloatArray;
}

/** Encodes what the U-Net is told and nothing else, the masked person first. */
export async function conditioning(
  encoder: Component,
  inputs: TryOnInputs,
  needs: Needs,
  latentScale: number,
): Promise<Conditioning> {
  const pictures: Record<string, FloatArray> = { masked_person: inputs.masked_person };
  if (inputs.pose && needs.conditions.includes("pose")) pictures.pose = inputs.pose;
  const latents = await encoded(encoder, Object.values(pictures), needs, latentScale);
  const known: Record<string, FloatArray> = { mask: latentMask(inputs.mask, needs.downscale) };
  Object.keys(pictures).forEach((name, index) => (known[name] = latents[index]));
  const told = needs.conditions.map((name) => {
    if (Object.hasOwn(known, name)) return known[name];
    throw new TryOnError("schema", `this model is told ${JSON.stringify(name)}, which this does not know: upgrade`);
  });
  return { start: latents[0], conditions: alongChannels(told) };
}

/** Scaled latents of pictures (1, 3, H, W): the mean of the moments. The last picture fills the last call up. */
async function encoded(
  encoder: Component,
  pictures: readonly FloatArray[],
  needs: Needs,
  latentScale: number,
): Promise<FloatArray[]> {
  const scale = Math.fround(latentScale);
  const latents: FloatArray[] = [];
  for (let first = 0; first < pictures.length; first += needs.encoderBatch) {
    const call = Array.from(
      { length: needs.encoderBatch },
      (_, i) => pictures[Math.min(first + i, pictures.length - 1)],
    );
    const { latent_parameters: moments } = await encoder({ sample: stacked(call) });
    checkFinite("vae_encoder", moments);
    for (let i = 0; i < needs.encoderBatch && first + i < pictures.length; i++) {
      const mean = row(moments, i).data.subarray(0, sizeOf(needs.latent));
      latents.push({ data: mean.map((value) => value * scale), shape: needs.latent });
    }
  }
  return latents;
}
