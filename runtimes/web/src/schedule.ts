/** The noise schedule, from the numbers in the manifest. */

import { TryOnError } from "./errors.js";
import type { Schedule } from "./manifest.js";
import { roundHalfToEven } from "./rounding.js";

/** A timestep and its alpha-bar, the signal's share of variance in (0, 1). */
export interface Level {
  readonly timestep: number;
  readonly alphaBar: number;
}

/**
 * The levels that `steps` steps visit, noisiest first: evenly spaced from the last timestep down ("trailing" of
 * arXiv:2305.08891, table 2). Throws a `TryOnError` ("options") unless `steps` is a whole number from 1 to T.
 */
export function levels(schedule: Schedule, steps: number): Level[] {
  const total = schedule.num_train_timesteps;
  if (!Number.isInteger(steps) || steps < 1 || steps > total) {
    throw new TryOnError("options", `cannot sample in ${steps} steps: choose from 1 to ${total}`);
  }
  return Array.from({ length: steps }, (_, index) => {
    const timestep = roundHalfToEven(total - index * (total / steps)) - 1;
    return { timestep, alphaBar: schedule.alphas_cumprod[timestep] };
  });
}
