/** The page's elements by their ids. */

/** The element with that id, which is a `kind`. */
export function element<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${kind.name} called ${id}`);
}

/** RGB (H, W, 3) or grey (H, W) pixels onto a canvas. */
export function draw(
  canvas: HTMLCanvasElement,
  data: Uint8Array,
  [height, width, channels = 1]: readonly number[],
): void {
  const pixels = new Uint8ClampedArray(4 * height * width);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) pixels[4 * i + c] = data[channels * i + Math.min(c, channels - 1)];
    pixels[4 * i + 3] = 255;
  }
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d")?.putImageData(new ImageData(pixels, width, height), 0, 0);
}
