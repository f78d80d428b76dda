/**
 * Seeded, splittable random numbers. Every stream is a pure function of (seed, labels), so a run that resumes at step
 * s draws what it would have drawn, without replaying the steps before it.
 *
 * Generator: xoshiro128** (Blackman & Vigna 2018); seeding and splitting: murmur-style 32-bit mixing.
 */
export class Rng {
  private readonly state: Uint32Array;
  private spareNormal: number | undefined;

  constructor(readonly seed: number) {
    this.state = new Uint32Array(4);
    let mixed = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      mixed = (mixed + 0x9e3779b9) >>> 0;
      this.state[i] = mix32(mixed);
    }
  }

  /** An independent stream named by labels, e.g. `rng.fork("mask", step)`. Does not advance this stream. */
  fork(...labels: readonly (string | number)[]): Rng {
    let hash = mix32(this.seed ^ 0x85ebca6b);
    for (const label of labels) {
      for (const char of `${label}/`) hash = mix32((hash ^ char.codePointAt(0)!) + 0x9e3779b9);
    }
    return new Rng(hash);
  }

  /** Uniform 32-bit unsigned integer. */
  uint32(): number {
    const s = this.state;
    const result = Math.imul(rotateLeft(Math.imul(s[1], 5), 7), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotateLeft(s[3], 11);
    return result;
  }

  /** Uniform in [0, 1) with 53 random bits. */
  uniform(): number {
    return uniformOf(this.uint32(), this.uint32());
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** Uniform integer in [0, bound). */
  integer(bound: number): number {
    return Math.floor(this.uniform() * bound);
  }

  /** Standard normal (Marsaglia's polar method). */
  normal(): number {
    if (this.spareNormal !== undefined) {
      const spare = this.spareNormal;
      this.spareNormal = undefined;
      return spare;
    }
    for (;;) {
      const u = 2 * this.uniform() - 1;
      const v = 2 * this.uniform() - 1;
      const s = u * u + v * v;
      if (s === 0 || s >= 1) continue;
      const scale = Math.sqrt((-2 * Math.log(s)) / s);
      this.spareNormal = v * scale;
      return u * scale;
    }
  }

  /** Fills an array with `scale` times what as many calls of `normal` would give, several times as fast. */
  fillNormal(out: Float32Array, scale: number): void {
    const draws = new Uint32Array(DRAWS);
    const before = new Uint32Array(4);
    let used = DRAWS;
    let at = 0;
    if (this.spareNormal !== undefined && out.length > 0) out[at++] = scale * this.normal();
    while (at < out.length) {
      if (used === DRAWS) {
        before.set(this.state);
        drawInto(draws, this.state, DRAWS);
        used = 0;
      }
      const u = 2 * uniformOf(draws[used], draws[used + 1]) - 1;
      const v = 2 * uniformOf(draws[used + 2], draws[used + 3]) - 1;
      used += 4;
      const s = u * u + v * v;
      if (s === 0 || s >= 1) continue;
      const radius = Math.sqrt((-2 * Math.log(s)) / s);
      out[at++] = scale * (u * radius);
      if (at < out.length) out[at++] = scale * (v * radius);
      else this.spareNormal = v * radius;
    }
    if (used === DRAWS) return;
    this.state.set(before); // more was drawn than used
    drawInto(draws, this.state, used);
  }

  /** Fills an array with what as many calls of `between` would give, several times as fast. */
  fillBetween(out: Float32Array, low: number, high: number): void {
    const draws = new Uint32Array(DRAWS);
    const width = high - low;
    for (let at = 0; at < out.length; ) {
      const end = Math.min(out.length, at + DRAWS / 2);
      drawInto(draws, this.state, 2 * (end - at));
      for (let used = 0; at < end; at++, used += 2)
        out[at] = low + width * uniformOf(draws[used], draws[used + 1]);
    }
  }

  /** Beta(alpha, beta) as a ratio of two gamma draws. */
  beta(alpha: number, beta: number): number {
    const a = this.gamma(alpha);
    const b = this.gamma(beta);
    return a / (a + b);
  }

  /** A uniformly random permutation of 0 … length-1 (Fisher-Yates). */
  permutation(length: number): Int32Array {
    const order = Int32Array.from({ length }, (_, i) => i);
    for (let i = length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  /** Gamma(shape, 1), Marsaglia & Tsang 2000; shapes below one by the usual power trick. */
  private gamma(shape: number): number {
    if (shape < 1) return this.gamma(shape + 1) * (1 - this.uniform()) ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(1 - this.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  }
}

/** Draws made at a time; a multiple of the four that a pair of normals takes. */
const DRAWS = 4096;

/** As many calls of `uint32` in one loop that keeps the state in registers. */
function drawInto(draws: Uint32Array, state: Uint32Array, count: number): void {
  let [s0, s1, s2, s3] = state;
  for (let i = 0; i < count; i++) {
    const scrambled = Math.imul(s1, 5);
    draws[i] = Math.imul((scrambled << 7) | (scrambled >>> 25), 9);
    const t = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= t;
    s3 = (s3 << 11) | (s3 >>> 21);
  }
  state.set([s0, s1, s2, s3]);
}

/** 53 bits of two draws, as a number in [0, 1). */
function uniformOf(high: number, low: number): number {
  return ((high >>> 5) * 67108864 + (low >>> 6)) / 9007199254740992;
}

function rotateLeft(value: number, bits: number): number {
  return ((value << bits) | (value >>> (32 - bits))) >>> 0;
}

function mix32(value: number): number {
  let z = value >>> 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}
