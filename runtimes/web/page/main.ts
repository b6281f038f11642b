/** The page: what is chosen, what is going on, what came of it. */

import { TryOnError } from "../src/index.js";
import { BeforeAfter } from "./before_after.js";
import { DropZone } from "./drop_zone.js";
import { draw, element } from "./elements.js";
import { InBrowser } from "./in_browser.js";
import type { How, OnProgress } from "./in_browser.js";
import { LatencyTable } from "./latency_table.js";
import { ServerError, models, paste, prepare, tryOn } from "./on_server.js";
import type { Dressed, Models, Prepared } from "./on_server.js";
import { choices, placeOf } from "./places.js";
import type { Choice } from "./places.js";

const form = element("form", HTMLFormElement);
const where = element("where", HTMLSelectElement);
const steps = element("steps", HTMLInputElement);
const sampler = element("sampler", HTMLSelectElement);
const seed = element("seed", HTMLInputElement);
const dress = element("dress", HTMLButtonElement);
const cancel = element("cancel", HTMLButtonElement);
const compare = element("compare", HTMLButtonElement);
const progress = element("progress", HTMLProgressElement);
const status = element("status", HTMLElement);
const detail = element("detail", HTMLElement);
const alert = element("alert", HTMLElement);
const MORE = ["keypoints", "garment_mask", "parse"].map((id) => element(id, HTMLInputElement));
const category = element("category", HTMLSelectElement);

const browser = new InBrowser();
const beforeAfter = new BeforeAfter();
const person = new DropZone("person", photosChanged);
const garment = new DropZone("garment", photosChanged);
for (const input of [...MORE, category]) input.addEventListener("change", photosChanged);

let offered: readonly Choice[] = [];
let limits: Models | undefined;
let table: LatencyTable | undefined;
let prepared: Prepared | undefined;
let underWay: AbortController | undefined;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void busy(dressOnce);
});
cancel.addEventListener("click", () => underWay?.abort());
compare.addEventListener("click", () => void busy(compareAll));
element("another", HTMLButtonElement).addEventListener("click", () => {
  seed.value = String(Math.floor(Math.random() * 100_000));
});
void start();

async function start(): Promise<void> {
  try {
    limits = await models();
    offered = await choices(limits);
    fill(limits);
    showReadiness();
  } catch (error) {
    say(error);
  }
}

function fill({ model, note, height, width, samplers, sampler: usual, steps: count, left_out: leftOut }: Models): void {
  element("about", HTMLElement).textContent = `${model}, ${width}×${height}${note ? `; ${note}` : ""}.`;
  element("privacy", HTMLElement).textContent =
    "Photos stay in memory, here and on the server you opened this page from.";
  where.replaceChildren(...offered.map((choice, index) => new Option(placeOf(choice), String(index))));
  sampler.replaceChildren(...samplers.map((name) => new Option(name, name, name === usual, name === usual)));
  steps.value = String(count);
  table = new LatencyTable(offered);
  element("latencies", HTMLElement).hidden = offered.length === 0;
  element("left-out", HTMLDetailsElement).hidden = leftOut.length === 0;
  element("left-out-list", HTMLElement).replaceChildren(
    ...leftOut.map((line) => Object.assign(document.createElement("li"), { textContent: line })),
  );
}

/** Photos are prepared as soon as both are there, so that what goes wrong is said early. */
function photosChanged(): void {
  prepared = undefined;
  underWay?.abort();
  element("prepared", HTMLElement).hidden = true;
  showReadiness();
  if (person.file && garment.file) void busy(prepareOnce);
}

function photos(): FormData {
  const sent = new FormData();
  sent.set("category", category.value);
  for (const { name, file } of [person, garment]) if (file) sent.set(name, file);
  for (const { id, files } of MORE) if (files?.[0]) sent.set(id, files[0]);
  let bytes = 0;
  sent.forEach((value) => (bytes += value instanceof File ? value.size : 0));
  const most = limits?.upload_bytes ?? Infinity;
  if (bytes > most * 0.99)
    throw new ServerError("too-large", `the photos have more than ${most / 1e6} MB together: scale them down`);
  return sent;
}

async function prepareOnce(signal: AbortSignal): Promise<Prepared> {
  if (prepared) return prepared;
  tell("Preparing the photos…");
  const made = await prepare(photos(), signal);
  for (const name of ["mask", "pose", "warp"] as const) {
    const { data, shape } = made.previews[name];
    draw(element(name, HTMLCanvasElement), data as Uint8Array, shape);
  }
  element("prepared", HTMLElement).hidden = false;
  prepared = made;
  tell("Ready.");
  return made;
}

async function dressOnce(signal: AbortSignal): Promise<void> {
  const choice = offered[Number(where.value)];
  const began = performance.now();
  const dressed = await dressedBy(choice, chosen(), signal);
  show(dressed);
  table?.show(choice, dressed.load, dressed.run);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  tell(`Done in ${seconds} s. ${placeOf(choice)}.`);
}

async function dressedBy(choice: Choice, how: How, signal: AbortSignal): Promise<Dressed> {
  const { inputs } = await prepareOnce(signal);
  if (choice.server) {
    tell(`Sampling. ${placeOf(choice)}…`);
    progress.removeAttribute("value");
    return tryOn(photos(), choice.server, how, signal);
  }
  if (!choice.browser) throw new Error("a choice is of the browser or of the server");
  const { picture, load, run } = await browser.run(choice.browser, inputs, how, showProgress, signal);
  tell("Putting the picture together…");
  return { png: await paste(photos(), picture, signal), load, run };
}

/** Each once to load and to warm up, and once more for the clock. A failing one leaves the others alone. */
async function compareAll(signal: AbortSignal): Promise<void> {
  const how = chosen();
  table?.clear();
  browser.close(); // what is loaded already would seem to load in no time
  for (const [index, choice] of offered.entries()) {
    if (signal.aborted) break;
    try {
      const first = await dressedBy(choice, { ...how, steps: 1 }, signal);
      const timed = await dressedBy(choice, how, signal);
      show(timed);
      table?.show(choice, first.load, timed.run);
    } catch (error) {
      if (signal.aborted) throw error;
      table?.fail(choice, lineOf(error));
    }
    tell(`Compared ${index + 1} of ${offered.length}.`);
  }
  browser.close();
  tell(table?.fastest() ?? "");
}

function show({ png }: Dressed): void {
  const address = beforeAfter.show(person.url, png);
  element("result", HTMLElement).hidden = false;
  const download = element("download", HTMLAnchorElement);
  download.href = address;
  download.download = `try-on-seed-${seed.value || 0}.png`;
}

function chosen(): How {
  return { steps: Number(steps.value), sampler: sampler.value, seed: Number(seed.value) };
}

/** Each step is seen, not read out: the progress bar says as much to whoever listens. */
const showProgress: OnProgress = (what, share, step = "") => {
  progress.value = share;
  if (status.textContent !== what) tell(what);
  detail.textContent = step;
};

/** One thing at a time: buttons wait, errors are said, whatever came before is cancelled. */
async function busy(work: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  if (!form.reportValidity()) return;
  underWay?.abort();
  const mine = new AbortController();
  underWay = mine;
  alert.hidden = true;
  showReadiness();
  try {
    await work(mine.signal);
  } catch (error) {
    if (underWay === mine) say(error);
  } finally {
    if (underWay === mine) {
      underWay = undefined;
      showReadiness();
    }
  }
}

function showReadiness(): void {
  const working = underWay !== undefined;
  const ready = person.file !== undefined && garment.file !== undefined && offered.length > 0;
  dress.disabled = compare.disabled = working || !ready;
  cancel.hidden = progress.hidden = !working;
  if (!working) return;
  progress.removeAttribute("value");
}

function tell(line: string): void {
  status.textContent = line;
  detail.textContent = "";
}

function say(error: unknown): void {
  const cancelled = error instanceof TryOnError || error instanceof ServerError ? error.trouble === "cancelled" : false;
  const line = lineOf(error);
  tell(cancelled ? line : "");
  alert.hidden = cancelled;
  alert.textContent = cancelled ? "" : line;
}

function lineOf(error: unknown): string {
  const line = error instanceof Error ? error.message : String(error);
  return `${line.charAt(0).toUpperCase()}${line.slice(1)}${/[.?!]$/.test(line) ? "" : "."}`;
}
