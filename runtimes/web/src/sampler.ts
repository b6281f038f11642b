/** The one sampling loop, the same for every backend. */

import { alongChannels, checkFinite, checkShape } from "./arrays.js";
import type { Component, FloatArray } from "./arrays.js";
import { TryOnError } from "./errors.js";
import { mix, over } from "./linear.js";
import type { Schedule } from "./manifest.js";
import { METHODS } from "./methods.js";
import type { Before, Update } from "./methods.js";
import { gaussian } from "./noise.js";
import { levels } from "./schedule.js";

/**
 * One finished step of `steps`; `index` counts from 0. Latents (1, C, h, w), scaled.
 *
 * `xT` is what the U-Net saw as noisy latent, `eps` what it answered, `x0` the clean latent that implies, and `xPrev`
 * the next sample: after the last step, the result.
 */
export interface Step {
  readonly index: number;
  readonly steps: number;
  readonly timestep: number;
  readonly xT: FloatArray;
  readonly eps: FloatArray;
  readonly x0: FloatArray;
  readonly xPrev: FloatArray;
}

/** How to sample: a name in `METHODS`, a number of steps, a seed for `gaussian`. */
export interface Sampling {
  readonly method: string;
  readonly steps: number;
  readonly seed: number | bigint;
}

/**
 * Denoise from a warm start, yielding every step as it is done; stop iterating to cancel.
 *
 * `conditions` (1, K, h, w) is all that the U-Net sees after the noisy latent. `start` (1, C, h, w) is a clean latent,
 * scaled, which is noised to the first timestep. `tokens` (1, T, D) go to the U-Net as `encoder_hidden_states`; none
 * for a network without cross-attention.
 *
 * Throws a `TryOnError` ("options") before the first step for an unknown method, steps or a seed out of range.
 */
export function sample(
  unet: Component,
  conditions: FloatArray,
  start: FloatArray,
  schedule: Schedule,
  sampling: Sampling,
  tokens?: FloatArray,
): AsyncGenerator<Step, void> {
  const update = methodCalled(sampling.method);
  const visited = levels(schedule, sampling.steps);
  const noise = gaussian(sampling.seed);
  const { shape } = start;
  const draw = (): Float32Array => noise(start.data.length);
  const latent = (data: Float32Array): FloatArray => ({ data, shape });

  async function* run(): AsyncGenerator<Step, void> {
    let xT = noised(start.data, draw(), visited[0].alphaBar);
    let before: Before | undefined;
    for (const [index, { timestep: t, alphaBar }] of visited.entries()) {
      const answer = await unet({
        sample: alongChannels([latent(xT), conditions]),
        timestep: { data: BigInt64Array.of(BigInt(t)), shape: [1] },
        ...(tokens && { encoder_hidden_states: tokens }),
      });
      checkShape("the U-Net's answer", answer.out_sample, shape);
      const { data: eps } = checkFinite("unet", answer.out_sample);
      const x0 = over(Math.sqrt(alphaBar), mix(1, xT, -Math.sqrt(1 - alphaBar), eps));
      const alphaBarPrev = visited[index + 1]?.alphaBar ?? 1;
      const xPrev = update({ t, xT, eps, x0, alphaBar, alphaBarPrev, before }, draw);
      yield {
        index,
        steps: visited.length,
        timestep: t,
        xT: latent(xT),
        eps: latent(eps),
        x0: latent(x0),
        xPrev: latent(xPrev),
      };
      [xT, before] = [xPrev, { x0, alphaBar }];
    }
  }

  return run();
}

/** Clean latent noised to signal level `alphaBar` in (0, 1]; arXiv:2006.11239, eq. 4. */
function noised(x0: Float32Array, noise: Float32Array, alphaBar: number): Float32Array {
  return mix(Math.sqrt(alphaBar), x0, Math.sqrt(1 - alphaBar), noise);
}

function methodCalled(name: string): Update {
  if (Object.hasOwn(METHODS, name)) return METHODS[name];
  const known = Object.keys(METHODS).join(", ");
  throw new TryOnError("options", `unknown sampling method ${JSON.stringify(name)}: choose one of ${known}`);
}
