/** Tables of the ziggurat for the normal density, 256 layers of equal area (Marsaglia and Tsang, JSS 5(8), 2000). */

/** Where the tail begins: the right edge of the lowest layer. */
export const TAIL = 3.6541528853610088;

/** Bits of a draw's magnitude in float32. */
export const MAGNITUDE = 2 ** 23;

/**
 * By layer, 256 of each; layer 0 is the lowest, tail included.
 *
 * `widths` float32, what a magnitude below 2^23 is multiplied by; `inside` uint32, magnitudes below it are under the
 * curve for sure; `heights` float32, the density (1 at 0) at the layer's right edge.
 */
export interface Ziggurat {
  readonly widths: Float32Array;
  readonly inside: Uint32Array;
  readonly heights: Float32Array;
}

/** The tables, from the one number that defines them. */
export function ziggurat(): Ziggurat {
  const area = TAIL * density(TAIL) + tailArea();
  const edges = new Float64Array(256);
  edges[255] = TAIL;
  for (let i = 255; i > 1; i--) edges[i - 1] = Math.sqrt(-2 * Math.log(area / edges[i] + density(edges[i])));

  // The lowest layer is a rectangle of the same area, as wide as it would have to be without its tail.
  const lowest = area / density(TAIL);
  const right = (i: number): number => (i === 0 ? lowest : edges[i]);
  const left = (i: number): number => (i === 0 ? TAIL : edges[i - 1]);
  return {
    widths: Float32Array.from(edges, (_, i) => right(i) / MAGNITUDE),
    inside: Uint32Array.from(edges, (_, i) => Math.round((left(i) / right(i)) * MAGNITUDE)),
    heights: Float32Array.from(edges, density),
  };
}

function density(x: number): number {
  return Math.exp(-0.5 * x * x);
}

/** Area under the density beyond `TAIL`: Laplace's continued fraction of Mills' ratio. */
function tailArea(): number {
  let fraction = 0;
  for (let k = 200; k > 0; k--) fraction = k / (TAIL + fraction);
  return density(TAIL) / (TAIL + fraction);
}
