/** Try-ons off the page's own thread, so that it scrolls, shows progress and can cancel meanwhile. */

import { TryOn, TryOnError, webProvider } from "../src/index.js";
import type { Asked, FromWorker, ToWorker } from "./messages.js";

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<ToWorker>) => void;
  postMessage(message: FromWorker, transfer?: Transferable[]): void;
};

let opened: { readonly key: string; readonly tryOn: TryOn } | undefined;
const aborts = new Map<number, AbortController>();
let last: Promise<void> = Promise.resolve();

scope.onmessage = ({ data }) => {
  if (data.kind === "cancel") return aborts.get(data.id)?.abort();
  if (data.kind === "run") aborts.set(data.asked.id, new AbortController()); // it may be cancelled before its turn
  last = last.then(() => (data.kind === "run" ? run(data.asked) : close()));
};

async function run(asked: Asked): Promise<void> {
  const { id, inputs, steps, method, seed } = asked;
  const signal = aborts.get(id)?.signal ?? AbortSignal.abort();
  try {
    const began = performance.now();
    const tryOn = await open(asked, signal);
    const ready = performance.now();
    const { picture } = await tryOn.run(inputs, {
      steps,
      method,
      seed,
      signal,
      onStep: (step) => scope.postMessage({ kind: "step", id, done: step.index + 1, steps: step.steps }),
    });
    const [load, run] = [ready - began, performance.now() - ready].map((milliseconds) => milliseconds / 1000);
    scope.postMessage({ kind: "done", id, picture, provider: tryOn.provider, load, run });
  } catch (error) {
    const known = error instanceof TryOnError ? error : undefined;
    const message = error instanceof Error ? error.message : String(error);
    scope.postMessage({ kind: "failed", id, trouble: known?.trouble ?? "network", message });
  } finally {
    aborts.delete(id);
  }
}

/** The networks asked for; those of another place are freed first, since memory is what browsers have least of. */
async function open({ id, bundle, choice, precision }: Asked, signal: AbortSignal): Promise<TryOn> {
  const key = [bundle, choice, precision].join(" ");
  if (opened?.key === key) return opened.tryOn;
  await close();
  const tryOn = await TryOn.open(bundle, {
    provider: await webProvider(choice),
    precision,
    signal,
    onProgress: ({ loaded, total }) => scope.postMessage({ kind: "loading", id, loaded, total }),
  });
  opened = { key, tryOn };
  return tryOn;
}

async function close(): Promise<void> {
  await opened?.tryOn.dispose();
  opened = undefined;
}
