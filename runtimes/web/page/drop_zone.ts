/** A file input that also takes what is dropped on its label, and shows it. */

import { element } from "./elements.js";

/** `onChange` is told whenever another file is there. */
export class DropZone {
  private readonly input: HTMLInputElement;
  private readonly label: HTMLLabelElement;
  private readonly image: HTMLImageElement;

  constructor(
    readonly name: string,
    private readonly onChange: () => void,
  ) {
    this.input = element(name, HTMLInputElement);
    this.label = element(`${name}-drop`, HTMLLabelElement);
    this.image = element(`${name}-image`, HTMLImageElement);
    this.input.addEventListener("change", () => this.changed());
    for (const kind of ["dragenter", "dragover"]) this.label.addEventListener(kind, (event) => this.hover(event, true));
    this.label.addEventListener("dragleave", (event) => this.hover(event, false));
    this.label.addEventListener("drop", (event) => {
      this.hover(event, false);
      if (!event.dataTransfer?.files.length) return;
      this.input.files = event.dataTransfer.files;
      this.changed();
    });
    // Browsers show no TIFF; the server reads it all the same.
    this.image.addEventListener("error", () => (this.image.hidden = true));
    this.image.addEventListener("load", () => (this.image.hidden = false));
  }

  /** The photo, once there is one. */
  get file(): File | undefined {
    return this.input.files?.[0];
  }

  /** Its address for images of this page. */
  get url(): string {
    return this.image.src;
  }

  private hover(event: Event, over: boolean): void {
    event.preventDefault();
    this.label.classList.toggle("over", over);
  }

  private changed(): void {
    if (this.image.src) URL.revokeObjectURL(this.image.src);
    this.image.hidden = true;
    if (this.file) this.image.src = URL.createObjectURL(this.file);
    this.label.classList.toggle("filled", this.file !== undefined);
    element(`${this.name}-name`, HTMLElement).textContent = this.file?.name ?? "";
    this.onChange();
  }
}
