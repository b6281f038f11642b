/** From a seed to the key of a random generator, as numpy's `SeedSequence` spreads it (a hash of O'Neill's, 2015). */

import { TryOnError } from "./errors.js";

const POOL = 4;
const SHIFT = 16;

/**
 * Key of `numpy.random.Philox(seed)`: `SeedSequence(seed).generate_state(2, uint64)`.
 *
 * `seed` is a whole number from 0; a `bigint` beyond 2^53, of any size. Throws a `TryOnError` ("options") otherwise.
 */
export function philoxKey(seed: number | bigint): [bigint, bigint] {
  const words = generateState(mixed(entropy(seed)), 4);
  return [joined(words[0], words[1]), joined(words[2], words[3])];
}

function entropy(seed: number | bigint): number[] {
  if (typeof seed === "number" ? !Number.isSafeInteger(seed) || seed < 0 : seed < 0n) {
    throw new TryOnError("options", `seed ${seed} is no whole number from 0: give a smaller one, or a bigint`);
  }
  const words: number[] = [];
  for (let rest = BigInt(seed); rest > 0n; rest >>= 32n) words.push(Number(rest & 0xffffffffn));
  return words;
}

/** The pool of four words in which every word of the entropy reaches every other. */
function mixed(words: number[]): number[] {
  let constant = 0x43b0d7e5;
  const hashed = (value: number): number => {
    const before = constant;
    constant = Math.imul(constant, 0x931e8875);
    return folded(Math.imul(value ^ before, constant));
  };
  const merged = (x: number, y: number): number => folded(Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y));

  const pool = Array.from({ length: POOL }, (_, index) => hashed(words[index] ?? 0));
  for (let from = 0; from < POOL; from++) {
    for (let to = 0; to < POOL; to++) if (from !== to) pool[to] = merged(pool[to], hashed(pool[from]));
  }
  for (const word of words.slice(POOL)) {
    for (let to = 0; to < POOL; to++) pool[to] = merged(pool[to], hashed(word));
  }
  return pool;
}

function generateState(pool: number[], count: number): number[] {
  let constant = 0x8b51f9dd;
  return Array.from({ length: count }, (_, index) => {
    const value = pool[index % POOL] ^ constant;
    constant = Math.imul(constant, 0x58f38ded);
    return folded(Math.imul(value, constant));
  });
}

function folded(value: number): number {
  const word = value >>> 0;
  return (word ^ (word >>> SHIFT)) >>> 0;
}

function joined(low: number, high: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}
