/** The worker, as functions. */

import { TryOnError } from "../src/index.js";
import type { Picture, TryOnInputs } from "../src/index.js";
import type { FromWorker, Place, ToWorker } from "./messages.js";

/** Seed and sampling, as the form has them. */
export interface How {
  readonly steps: number;
  readonly sampler: string;
  readonly seed: number;
}

/** Told how far a run is: what is going on, the share of it that is done, and which step. */
export type OnProgress = (what: string, share: number, step?: string) => void;

/** A sampled crop, what it ran on, and seconds. */
export interface Sampled {
  readonly picture: Picture;
  readonly provider: string;
  readonly load: number;
  readonly run: number;
}

const BUNDLE = "/bundle/";

/** The browser as a backend. */
export class InBrowser {
  private readonly worker = new Worker("/worker.js", { type: "module" });
  private last = 0;

  /** Rejects with a `TryOnError`; `signal` ends it at the next call of a network. */
  run(place: Place, inputs: TryOnInputs, how: How, onProgress: OnProgress, signal: AbortSignal): Promise<Sampled> {
    const id = ++this.last;
    const { steps, sampler: method, seed } = how;
    const asked = { id, bundle: new URL(BUNDLE, location.href).href, ...place, inputs, steps, method, seed };
    const cancel = (): void => this.tell({ kind: "cancel", id });
    const ended = new AbortController();
    return new Promise<Sampled>((resolve, reject) => {
      const heard = ({ data }: MessageEvent<FromWorker>): void => {
        if (data.id !== id) return;
        if (data.kind === "loading") onProgress("Loading the networks…", data.loaded / data.total);
        else if (data.kind === "step")
          onProgress("Sampling…", data.done / data.steps, `Step ${data.done} of ${data.steps}`);
        else if (data.kind === "done") resolve(data);
        else reject(new TryOnError(data.trouble, data.message));
      };
      const broken = (event: ErrorEvent): void =>
        reject(
          new TryOnError("network", `the page's worker stopped (${event.message || "not loaded"}): reload the page`),
        );
      this.worker.addEventListener("message", heard, ended);
      this.worker.addEventListener("error", broken, ended);
      signal.addEventListener("abort", cancel, ended);
      this.tell({ kind: "run", asked });
    }).finally(() => ended.abort());
  }

  /** Frees the networks. */
  close(): void {
    this.tell({ kind: "close" });
  }

  private tell(message: ToWorker): void {
    this.worker.postMessage(message);
  }
}
