/** Rounding as numpy and OpenCV do it, where `Math.round` differs. */

/** The nearest whole number; of two as near, the even one. */
export function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const above = value - floor;
  if (above !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
