/** One try-on: encode, sample, decode, and put the person's own pixels back. */

import { checkFinite, checkShape } from "./arrays.js";
import type { Component, FloatArray } from "./arrays.js";
import { Bundle } from "./bundle.js";
import type { Fetching, Opening } from "./bundle.js";
import { conditioning } from "./conditions.js";
import type { TryOnInputs } from "./conditions.js";
import { carryDetail } from "./detail.js";
import type { FetchFile } from "./download.js";
import { TryOnError, throwIfCancelled } from "./errors.js";
import { over } from "./linear.js";
import { needsOf } from "./needs.js";
import type { Needs } from "./needs.js";
import { composite } from "./pictures.js";
import type { Picture } from "./pictures.js";
import { webProvider } from "./providers.js";
import type { Provider } from "./providers.js";
import { sample } from "./sampler.js";
import type { Sampling, Step } from "./sampler.js";
import { startSessions } from "./sessions.js";
import type { Sessions } from "./sessions.js";
import { decodedInTiles } from "./tiles.js";

/** How to start: on `webProvider()`, at the bundle's first precision that it computes, unless said otherwise. */
export interface Starting extends Fetching {
  readonly provider?: Provider | undefined;
  readonly precision?: string | undefined;
}

/** How to run: method and steps are the model's own and the seed is 0 unless said otherwise. */
export interface Running extends Partial<Sampling> {
  /** Carry stripes and letters over from the warp, for one more decoding; true unless said otherwise. */
  readonly detail?: boolean;
  /** Called after each step; what it throws stops the run. */
  readonly onStep?: (step: Step) => void;
  /** Stops the run before the next call of a network. */
  readonly signal?: AbortSignal;
}

/** `picture` is the finished crop, `decoded` (1, 3, H, W) all of it as the decoder painted it, about [-1, 1]. */
export interface TryOnResult {
  readonly picture: Picture;
  readonly decoded: FloatArray;
}

/** A bundle that is started, for any number of try-ons. `dispose` it to free its memory. */
export class TryOn {
  private constructor(
    readonly bundle: Bundle,
    /** The execution provider the networks were started on: `webgpu`, `wasm` or `cpu`. */
    readonly provider: string,
    readonly precision: string,
    private readonly needs: Needs,
    private readonly sessions: Sessions,
  ) {}

  /**
   * Opens the bundle at a URL (or by a function that fetches its files) and starts its networks.
   *
   * Rejects with a `TryOnError`, whose `trouble` says which; nothing stays started then.
   */
  static async open(source: string | URL | FetchFile, options: Opening & Starting = {}): Promise<TryOn> {
    return TryOn.start(await Bundle.open(source, options), options);
  }

  /** Starts the networks of a bundle that is open; errors as `open` has them. */
  static async start(bundle: Bundle, { provider, precision, ...fetching }: Starting = {}): Promise<TryOn> {
    const needs = needsOf(bundle.manifest);
    const chosen = provider ?? (await webProvider());
    const wanted = precision ?? bundle.precisions.find((each) => !chosen.lacks.includes(each)) ?? "fp32";
    if (chosen.lacks.includes(wanted)) {
      throw new TryOnError("precision", `${chosen.name} computes no ${wanted} on this device: choose fp32, or wasm`);
    }
    const sessions = await startSessions(bundle, wanted, chosen, fetching);
    return new TryOn(bundle, chosen.name, wanted, needs, sessions);
  }

  /** The networks by name, as `startSessions` has them. */
  get components(): Readonly<Record<string, Component>> {
    return this.sessions.components;
  }

  /**
   * Dresses the person of `inputs`: the same picture as lite-vton's own for the same seed, up to rounding.
   *
   * Rejects with a `TryOnError`: "options" for what does not fit, "cancelled", "memory" or "network".
   */
  async run(inputs: TryOnInputs, { detail = true, onStep, signal, ...sampling }: Running = {}): Promise<TryOnResult> {
    const { manifest } = this.bundle;
    this.check(inputs);
    const call = (name: string): Component => cancellable(this.sessions.components[name], signal);
    const { start, conditions } = await conditioning(call("vae_encoder"), inputs, this.needs, manifest.latent_scale);
    const tokens = inputs.garment && this.needs.garment && (await tokensOf(call("image_encoder"), inputs.garment));

    const how: Sampling = {
      method: sampling.method ?? manifest.default_sampler,
      steps: sampling.steps ?? manifest.default_steps,
      seed: sampling.seed ?? 0,
    };
    let latent = start;
    for await (const step of sample(call("unet"), conditions, start, manifest.schedule, how, tokens)) {
      latent = step.xPrev;
      onStep?.(step);
    }

    const decode = (scaled: FloatArray): Promise<FloatArray> => this.decoded(call("vae_decoder"), scaled);
    const reconstruction = detail ? await decode(start) : undefined;
    const decoded = await decode(latent);
    const painted = reconstruction ? carryDetail(decoded, inputs.masked_person, reconstruction) : decoded;
    return { picture: composite(painted, inputs.person, inputs.mask), decoded };
  }

  /** Frees the sessions; the object is of no use afterwards. */
  dispose(): Promise<void> {
    return this.sessions.dispose();
  }

  private async decoded(decoder: Component, scaled: FloatArray): Promise<FloatArray> {
    const latent = { data: over(this.bundle.manifest.latent_scale, scaled.data), shape: scaled.shape };
    const run = async (part: FloatArray): Promise<FloatArray> => (await decoder({ latent_sample: part })).sample;
    const { decoderTile, downscale } = this.needs;
    return checkFinite(
      "vae_decoder",
      await (decoderTile ? decodedInTiles(run, latent, decoderTile, downscale) : run(latent)),
    );
  }

  private check(inputs: TryOnInputs): void {
    const { height, width } = this.bundle.manifest;
    const { conditions, garment } = this.needs;
    checkShape("person", inputs.person, [1, 3, height, width]);
    checkShape("mask", inputs.mask, [1, 1, height, width]);
    checkShape("masked_person", inputs.masked_person, [1, 3, height, width]);
    if (conditions.includes("pose")) checkShape("pose", inputs.pose, [1, 3, height, width]);
    if (garment) checkShape("garment", inputs.garment, garment);
  }
}

/** What CLIP sees in the garment (1, T, D). */
async function tokensOf(encoder: Component, garment: FloatArray): Promise<FloatArray> {
  const { encoder_hidden_states: tokens } = await encoder({ pixel_values: garment });
  return checkFinite("image_encoder", tokens);
}

/** `component`, which lets clicks and paints through before each call, and does not start it after a cancellation. */
function cancellable(component: Component, signal: AbortSignal | undefined): Component {
  return async (inputs) => {
    await new Promise((resolve) => setTimeout(resolve));
    throwIfCancelled(signal);
    return component(inputs);
  };
}
