/**
 * How one sampling step goes from x_t to the next, less noisy sample: one short function per method.
 *
 * Notation as in the papers: alphaBar is the signal's share of variance (1 when clean), eps the predicted noise,
 * sigma = sqrt((1 - alphaBar) / alphaBar) the noise level in variance-exploding space. Sums are grouped as in
 * `runtimes/lite_vton_runtimes/sampling/methods.py`, so that both round alike.
 */

import { mix, over, times } from "./linear.js";

const { exp, log, sqrt } = Math;

/** What the step before knew. */
export interface Before {
  readonly x0: Float32Array;
  readonly alphaBar: number;
}

/**
 * One step to take: what is known at timestep `t`, and the level `alphaBarPrev` to reach (1 at the end).
 *
 * Samples are latents in C order. `x0` is the clean sample that `eps` implies; `before` is missing on the first step.
 */
export interface Transition {
  readonly t: number;
  readonly xT: Float32Array;
  readonly eps: Float32Array;
  readonly x0: Float32Array;
  readonly alphaBar: number;
  readonly alphaBarPrev: number;
  readonly before: Before | undefined;
}

/** From a transition and a source of noise (called at most once) to the next sample. */
export type Update = (step: Transition, noise: () => Float32Array) => Float32Array;

/** Every sampling method by the name users give. Only `ddpm` and `lcm` draw noise after the start. */
export const METHODS: Readonly<Record<string, Update>> = Object.freeze({
  ddpm,
  ddim,
  euler,
  "dpmsolver++": dpmsolverPP,
  lcm,
});

/** Ancestral sampling with the small fixed variance; arXiv:2006.11239, eq. 6 and 7. */
function ddpm(s: Transition, noise: () => Float32Array): Float32Array {
  if (s.alphaBarPrev === 1) return s.x0;
  const alpha = s.alphaBar / s.alphaBarPrev;
  const scale = 1 / (1 - s.alphaBar);
  const mean0 = sqrt(s.alphaBarPrev) * (1 - alpha) * scale;
  const meanT = sqrt(alpha) * (1 - s.alphaBarPrev) * scale;
  const variance = (1 - s.alphaBarPrev) * (1 - alpha) * scale;
  return mix(1, mix(mean0, s.x0, meanT, s.xT), sqrt(variance), noise());
}

/** Deterministic, eta = 0; arXiv:2010.02502, eq. 12. */
function ddim(s: Transition): Float32Array {
  return mix(sqrt(s.alphaBarPrev), s.x0, sqrt(1 - s.alphaBarPrev), s.eps);
}

/** Euler's step of the probability-flow ODE in variance-exploding space; arXiv:2206.00364, eq. 1, no churn. */
function euler(s: Transition): Float32Array {
  const sigma = sqrt((1 - s.alphaBar) / s.alphaBar);
  const sigmaPrev = sqrt((1 - s.alphaBarPrev) / s.alphaBarPrev);
  return over(sqrt(sigmaPrev ** 2 + 1), mix(sqrt(sigma ** 2 + 1), s.xT, sigmaPrev - sigma, s.eps));
}

/** DPM-Solver++(2M), midpoint; arXiv:2211.01095, algorithm 2. First and last step are of first order, which is DDIM. */
function dpmsolverPP(s: Transition): Float32Array {
  if (s.alphaBarPrev === 1 || s.before === undefined) return ddim(s);
  const h = logSnr(s.alphaBarPrev) - logSnr(s.alphaBar);
  const hBefore = logSnr(s.alphaBar) - logSnr(s.before.alphaBar);
  const slope = times(h / hBefore, mix(1, s.x0, -1, s.before.x0));
  const decay = sqrt((1 - s.alphaBarPrev) / (1 - s.alphaBar));
  return mix(decay, s.xT, sqrt(s.alphaBarPrev) * (1 - exp(-h)), mix(1, s.x0, 0.5, slope));
}

/** Multistep consistency sampling; arXiv:2310.04378, algorithm 3, boundary scalings as in diffusers. */
function lcm(s: Transition, noise: () => Float32Array): Float32Array {
  const [sigmaData, scaledT] = [0.5, 10 * s.t];
  const cSkip = sigmaData ** 2 / (scaledT ** 2 + sigmaData ** 2);
  const cOut = scaledT / sqrt(scaledT ** 2 + sigmaData ** 2);
  const denoised = mix(cOut, s.x0, cSkip, s.xT);
  if (s.alphaBarPrev === 1) return denoised;
  return mix(sqrt(s.alphaBarPrev), denoised, sqrt(1 - s.alphaBarPrev), noise());
}

/** Half the log of the signal-to-noise ratio, lambda in DPM-Solver's papers. */
function logSnr(alphaBar: number): number {
  return 0.5 * log(alphaBar / (1 - alphaBar));
}
