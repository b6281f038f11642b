/** Philox4x64 with 10 rounds, a counter-based generator (Salmon et al., SC 2011), in the order numpy reads it. */

const ROUNDS = 10;
const MULTIPLIERS = [0xd2e7470ee14c6c93n, 0xca5a826395121157n] as const;
const WEYL = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn] as const;

/** A source of uniform 32-bit words in [0, 2^32). */
export type Words = () => number;

/** The 32-bit words of `numpy.random.Philox` with this key: the low half of each 64-bit word before the high one. */
export function philox(key: readonly [bigint, bigint]): Words {
  const block = new Uint32Array(8);
  let counter = 0n;
  let next = block.length;
  return () => {
    if (next === block.length) {
      counter += 1n; // numpy counts before it draws, so the first block is that of 1
      fill(block, counter, key);
      next = 0;
    }
    return block[next++];
  };
}

function fill(block: Uint32Array, counter: bigint, key: readonly [bigint, bigint]): void {
  let [k0, k1] = key;
  let [x0, x1, x2, x3] = [0n, 1n, 2n, 3n].map((word) => BigInt.asUintN(64, counter >> (64n * word)));
  for (let round = 0; round < ROUNDS; round++) {
    const p0 = MULTIPLIERS[0] * x0;
    const p1 = MULTIPLIERS[1] * x2;
    [x0, x1, x2, x3] = [(p1 >> 64n) ^ x1 ^ k0, BigInt.asUintN(64, p1), (p0 >> 64n) ^ x3 ^ k1, BigInt.asUintN(64, p0)];
    k0 = BigInt.asUintN(64, k0 + WEYL[0]);
    k1 = BigInt.asUintN(64, k1 + WEYL[1]);
  }
  [x0, x1, x2, x3].forEach((word, index) => {
    block[2 * index] = Number(word & 0xffffffffn);
    block[2 * index + 1] = Number(word >> 32n);
  });
}
