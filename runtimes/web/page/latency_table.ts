/** A row for each choice: how long it took to load, and to run. */

import { element } from "./elements.js";
import type { Choice } from "./places.js";

const seconds = (value: number): string => `${value.toFixed(2)} s`;

/** Filled as runs end. */
export class LatencyTable {
  private readonly rows = new Map<Choice, HTMLTableRowElement>();
  private readonly times = new Map<Choice, number>();

  constructor(choices: readonly Choice[]) {
    const body = element("rows", HTMLTableSectionElement);
    body.replaceChildren(...choices.map((choice) => this.row(choice)));
  }

  /** Seconds; `load` is only shown where something was loaded. */
  show(choice: Choice, load: number, run: number): void {
    this.times.set(choice, run);
    const row = this.rows.get(choice);
    if (!row) return;
    if (load > 0.005) row.cells[1].textContent = seconds(load);
    row.cells[2].textContent = seconds(run);
    row.cells[2].classList.remove("failed");
    const best = Math.min(...this.times.values());
    for (const [each, time] of this.times)
      this.rows.get(each)?.classList.toggle("best", time === best && this.times.size > 1);
  }

  /** Why there is no time. */
  fail(choice: Choice, line: string): void {
    const cell = this.rows.get(choice)?.cells[2];
    if (!cell) return;
    cell.textContent = line;
    cell.classList.add("failed");
  }

  /** Forget all times. */
  clear(): void {
    this.times.clear();
    for (const row of this.rows.values()) {
      row.classList.remove("best");
      for (const cell of [row.cells[1], row.cells[2]]) cell.textContent = "";
    }
  }

  /** The quickest so far, as a sentence. */
  fastest(): string {
    const [best] = [...this.times].sort(([, a], [, b]) => a - b);
    if (!best) return "";
    const [choice, time] = best;
    return `Fastest: ${choice.label}, ${choice.browser ? "in this browser" : "on the server"}, ${seconds(time)}.`;
  }

  private row(choice: Choice): HTMLTableRowElement {
    const row = document.createElement("tr");
    const head = Object.assign(document.createElement("th"), { scope: "row" });
    const place = Object.assign(document.createElement("small"), {
      textContent: choice.browser ? "browser" : "server",
    });
    head.append(choice.label, " ", place);
    row.append(head);
    for (let i = 0; i < 2; i++) row.append(Object.assign(document.createElement("td"), { className: "number" }));
    this.rows.set(choice, row);
    return row;
  }
}
