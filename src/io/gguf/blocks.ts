import { widenToFloat32 } from "../bytes";

/**
 * Blocks of a quantized GGUF type to numbers. In each, `d` is the scale of a block, kept as a half, and every number is
 * an integer times it (plus an offset); all products are exact in double precision, so results are those of float32
 * arithmetic. Reference: ggml-quants.c `dequantize_row_*`, the layouts in ggml-common.h.
 */
export type Dequantize = (bytes: Uint8Array, numbers: Float32Array) => void;

/** One block of `bytes` at `at`, written to `numbers` from `to` on; `half(at)` reads a half. */
type Block = (
  bytes: Uint8Array,
  at: number,
  numbers: Float32Array,
  to: number,
  half: (at: number) => number,
) => void;

function inBlocks(length: number, elements: number, block: Block): Dequantize {
  return (bytes, numbers) => {
    const halves = halfValues();
    const half = (at: number) => halves[bytes[at] | (bytes[at + 1] << 8)];
    for (let at = 0, to = 0; at < bytes.length; at += length, to += elements)
      block(bytes, at, numbers, to, half);
  };
}

let halfTable: Float32Array | undefined;

/** The value of each of the 65536 half-precision bit patterns. */
function halfValues(): Float32Array {
  const patterns = () => Uint16Array.from({ length: 65536 }, (_, pattern) => pattern);
  halfTable ??= widenToFloat32(new Uint8Array(patterns().buffer), "F16");
  return halfTable;
}

const signed = (byte: number) => (byte << 24) >> 24;

/** d, then 16 bytes: low nibbles are numbers 0 to 15, high ones 16 to 31. */
export const q40 = inBlocks(18, 32, (bytes, at, numbers, to, half) => {
  const d = half(at);
  for (let i = 0; i < 16; i++) {
    const pair = bytes[at + 2 + i];
    numbers[to + i] = d * ((pair & 15) - 8);
    numbers[to + 16 + i] = d * ((pair >> 4) - 8);
  }
});

/** d, smallest number m, nibbles as in Q4_0. */
export const q41 = inBlocks(20, 32, (bytes, at, numbers, to, half) => {
  const d = half(at);
  const m = half(at + 2);
  for (let i = 0; i < 16; i++) {
    const pair = bytes[at + 4 + i];
    numbers[to + i] = d * (pair & 15) + m;
    numbers[to + 16 + i] = d * (pair >> 4) + m;
  }
});

/** d, 32 fifth bits, nibbles as in Q4_0. */
export const q50 = inBlocks(22, 32, (bytes, at, numbers, to, half) => {
  const d = half(at);
  fiveBits(bytes, at + 2, numbers, to, (q) => d * (q - 16));
});

/** d, smallest number m, 32 fifth bits, nibbles. */
export const q51 = inBlocks(24, 32, (bytes, at, numbers, to, half) => {
  const d = half(at);
  const m = half(at + 2);
  fiveBits(bytes, at + 4, numbers, to, (q) => d * q + m);
});

function fiveBits(
  bytes: Uint8Array,
  at: number,
  numbers: Float32Array,
  to: number,
  value: (q: number) => number,
): void {
  for (let i = 0; i < 16; i++) {
    const pair = bytes[at + 4 + i];
    const bit = (n: number) => ((bytes[at + (n >> 3)] >> (n & 7)) & 1) << 4;
    numbers[to + i] = value((pair & 15) | bit(i));
    numbers[to + 16 + i] = value((pair >> 4) | bit(16 + i));
  }
}

/** d, 32 signed bytes. */
export const q80 = inBlocks(34, 32, (bytes, at, numbers, to, half) => {
  const d = half(at);
  for (let i = 0; i < 32; i++) numbers[to + i] = d * signed(bytes[at + 2 + i]);
});

/** 16 scales and minima of four bits, 256 numbers of two bits, d, dmin. */
export const q2k = inBlocks(84, 256, (bytes, at, numbers, to, half) => {
  const [d, dmin] = [half(at + 80), half(at + 82)];
  for (let group = 0; group < 16; group++) {
    const scale = bytes[at + group];
    const [step, least] = [d * (scale & 15), dmin * (scale >> 4)];
    const { from, shift } = twoBitPlace(group);
    for (let i = 0; i < 16; i++) {
      numbers[to + 16 * group + i] = step * ((bytes[at + 16 + from + i] >> shift) & 3) - least;
    }
  }
});

/** 256 third bits, 256 numbers of two bits, 16 scales of six bits in 12 bytes, d. */
export const q3k = inBlocks(110, 256, (bytes, at, numbers, to, half) => {
  const d = half(at + 108);
  for (let group = 0; group < 16; group++) {
    const low = (bytes[at + 96 + (group & 7)] >> (group < 8 ? 0 : 4)) & 15;
    const high = (bytes[at + 104 + (group & 3)] >> (2 * (group >> 2))) & 3;
    const step = d * ((low | (high << 4)) - 32);
    const { from, shift } = twoBitPlace(group);
    for (let i = 0; i < 16; i++) {
      const third = (bytes[at + 16 * (group & 1) + i] >> (group >> 1)) & 1;
      const q = (bytes[at + 32 + from + i] >> shift) & 3;
      numbers[to + 16 * group + i] = step * (third ? q : q - 4);
    }
  }
});

/** Where the 16 numbers of a group lie: each half of a block spreads its 128 numbers over the bit pairs of 32 bytes. */
function twoBitPlace(group: number): { from: number; shift: number } {
  return { from: 32 * (group >> 3) + 16 * (group & 1), shift: 2 * ((group >> 1) & 3) };
}

/** d, dmin, eight scales and minima of six bits in 12 bytes, 256 nibbles. */
export const q4k = inBlocks(144, 256, (bytes, at, numbers, to, half) => {
  for (let group = 0; group < 8; group++) {
    const { scale, least } = sixBitScale(bytes, at + 4, group);
    const [step, offset] = [half(at) * scale, half(at + 2) * least];
    const from = at + 16 + 32 * (group >> 1);
    for (let i = 0; i < 32; i++) {
      numbers[to + 32 * group + i] = step * ((bytes[from + i] >> (4 * (group & 1))) & 15) - offset;
    }
  }
});

/** As Q4_K with 256 fifth bits before the nibbles. */
export const q5k = inBlocks(176, 256, (bytes, at, numbers, to, half) => {
  for (let group = 0; group < 8; group++) {
    const { scale, least } = sixBitScale(bytes, at + 4, group);
    const [step, offset] = [half(at) * scale, half(at + 2) * least];
    const from = at + 48 + 32 * (group >> 1);
    for (let i = 0; i < 32; i++) {
      const q = ((bytes[from + i] >> (4 * (group & 1))) & 15) | (((bytes[at + 16 + i] >> group) & 1) << 4);
      numbers[to + 32 * group + i] = step * q - offset;
    }
  }
});

/** The first four groups' bits lie together; the others' are put together from nibbles and the first ones' spare bits. */
function sixBitScale(bytes: Uint8Array, at: number, group: number): { scale: number; least: number } {
  if (group < 4) return { scale: bytes[at + group] & 63, least: bytes[at + group + 4] & 63 };
  const nibbles = bytes[at + group + 4];
  return {
    scale: (nibbles & 15) | ((bytes[at + group - 4] >> 6) << 4),
    least: (nibbles >> 4) | ((bytes[at + group] >> 6) << 4),
  };
}

/** 256 low nibbles, 256 high bit pairs, 16 signed scales, d. */
export const q6k = inBlocks(210, 256, (bytes, at, numbers, to, half) => {
  const d = half(at + 208);
  for (let group = 0; group < 16; group++) {
    const step = d * signed(bytes[at + 192 + group]);
    const upper = group >> 3;
    const quarter = (group >> 1) & 3;
    const inner = 16 * (group & 1);
    const low = at + 64 * upper + 32 * (quarter & 1) + inner;
    const high = at + 128 + 32 * upper + inner;
    for (let i = 0; i < 16; i++) {
      const nibble = (bytes[low + i] >> (4 * (quarter >> 1))) & 15;
      const pair = (bytes[high + i] >> (2 * quarter)) & 3;
      numbers[to + 16 * group + i] = step * ((nibble | (pair << 4)) - 32);
    }
  }
});

/** The sixteen levels of the IQ4 types, closer together near zero. */
const iq4Levels = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/** As Q4_0 with uneven levels. */
export const iq4nl = inBlocks(18, 32, (bytes, at, numbers, to, half) => {
  unevenNibbles(bytes, at + 2, numbers, to, half(at));
});

/** d, eight scales of six bits (high pairs first, then low nibbles), 256 nibbles as in IQ4_NL. */
export const iq4xs = inBlocks(136, 256, (bytes, at, numbers, to, half) => {
  const d = half(at);
  const highPairs = bytes[at + 2] | (bytes[at + 3] << 8);
  for (let group = 0; group < 8; group++) {
    const low = (bytes[at + 4 + (group >> 1)] >> (4 * (group & 1))) & 15;
    const scale = (low | (((highPairs >> (2 * group)) & 3) << 4)) - 32;
    unevenNibbles(bytes, at + 8 + 16 * group, numbers, to + 32 * group, d * scale);
  }
});

function unevenNibbles(bytes: Uint8Array, at: number, numbers: Float32Array, to: number, step: number): void {
  for (let i = 0; i < 16; i++) {
    numbers[to + i] = step * iq4Levels[bytes[at + i] & 15];
    numbers[to + 16 + i] = step * iq4Levels[bytes[at + i] >> 4];
  }
}
