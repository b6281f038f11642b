/** What the page and its worker say to each other. */

import type { Picture, TryOnInputs, Trouble, WebChoice } from "../src/index.js";

/** Where in the browser, at which of the bundle's precisions. */
export interface Place {
  readonly choice: WebChoice;
  readonly precision: string;
}

/** One try-on; `id` comes back with every answer. */
export interface Asked extends Place {
  readonly id: number;
  readonly bundle: string;
  readonly inputs: TryOnInputs;
  readonly steps: number;
  readonly method: string;
  readonly seed: number;
}

/** To the worker. `close` frees the networks and their memory. */
export type ToWorker =
  | { readonly kind: "run"; readonly asked: Asked }
  | { readonly kind: "cancel"; readonly id: number }
  | { readonly kind: "close" };

/** From the worker: how far loading and sampling are, and how a run ended. Seconds. */
export type FromWorker =
  | { readonly kind: "loading"; readonly id: number; readonly loaded: number; readonly total: number }
  | { readonly kind: "step"; readonly id: number; readonly done: number; readonly steps: number }
  | {
      readonly kind: "done";
      readonly id: number;
      readonly picture: Picture;
      readonly provider: string;
      readonly load: number;
      readonly run: number;
    }
  | { readonly kind: "failed"; readonly id: number; readonly trouble: Trouble; readonly message: string };
