/** Two pictures of one size, and a slider for how much is seen of each. */

import { element } from "./elements.js";

/** `show` brings it onto the page. */
export class BeforeAfter {
  private readonly frame = element("compare-frame", HTMLElement);
  private readonly before = element("before", HTMLImageElement);
  private readonly after = element("after", HTMLImageElement);
  private readonly slider = element("split", HTMLInputElement);

  constructor() {
    this.slider.addEventListener("input", () => this.moved());
    // The picture itself can be dragged too; whoever uses no pointer has the slider.
    this.frame.addEventListener("pointerdown", (event) => {
      this.frame.setPointerCapture(event.pointerId);
      this.dragged(event);
    });
    this.frame.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) this.dragged(event);
    });
    this.moved();
  }

  /** The person's photo and the finished picture, by their addresses. */
  show(before: string, after: Blob): string {
    if (this.after.src) URL.revokeObjectURL(this.after.src);
    this.before.src = before;
    this.after.src = URL.createObjectURL(after);
    return this.after.src;
  }

  private dragged(event: PointerEvent): void {
    const { left, width } = this.frame.getBoundingClientRect();
    this.slider.value = String(Math.round((100 * (event.clientX - left)) / width));
    this.moved();
  }

  private moved(): void {
    this.frame.style.setProperty("--split", `${this.slider.value}%`);
    this.slider.setAttribute("aria-valuetext", `${this.slider.value} % before, the rest after`);
  }
}
