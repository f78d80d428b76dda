import * as transforms from "../../../../src/data/transforms";

/** For images of 4 x 4 pixels. */
export const small = { transform: transforms.none(4), cache: false } as const;

/** A number in groups of 7 bits, the lowest first. */
export function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push((rest % 128) + (rest >= 128 ? 128 : 0));
    if (rest < 128) return bytes;
  }
}

const letters = (count: number) => Array.from({ length: count }, (_, i) => 97 + (i % 26));

/** LZ4 blocks by hand: "abcde"; a match over itself; lengths of several bytes; a match that ends before its source does. */
export const lz4Blocks = {
  literals: [0x50, ...letters(5)],
  repeated: [0x22, 120, 121, 2, 0, 0x10, 122],
  long: [0xff, 5, ...letters(20), 3, 0, 255, 3, 0x10, 33],
  far: [0x82, ...letters(8), 8, 0, 0x20, 33, 33],
};
