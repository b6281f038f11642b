/** The one error a caller is meant to show. */

/** What went wrong, for a program to act on. */
export type Trouble =
  | "gone" // the bundle, or a file of it, is not there
  | "truncated" // a file is not the manifest's: other size or other sha256
  | "not-a-bundle"
  | "schema" // made by a later lite-vton
  | "precision" // not among the bundle's
  | "insecure" // the page came over plain HTTP, where browsers check no hashes
  | "webgpu" // asked for, and there is none
  | "memory"
  | "cancelled"
  | "options" // steps, method, seed or arrays that do not fit
  | "network"; // a network could not be started, or answered NaN

/** One line that says what is wrong and what to do about it; `trouble` says the same to a program. */
export class TryOnError extends Error {
  override readonly name = "TryOnError";

  constructor(
    readonly trouble: Trouble,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Throws the error of a cancelled run if `signal` says so. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new TryOnError("cancelled", "cancelled: start again when you like");
}
