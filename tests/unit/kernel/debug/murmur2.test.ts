import assert from "node:assert/strict";
import { test } from "node:test";
import { murmur2 } from "../../../../src/kernel/debug/murmur2";

/** As JupyterLab 4.6.4 computes them. */
const known: [text: string, seed: number, hash: number][] = [
  ["", 0x6c757669, 1407884350],
  ["a", 0x6c757669, 2030049315],
  ["ab", 0x6c757669, 179727632],
  ["abc", 0x6c757669, 3853733055],
  ["abcd", 0x6c757669, 2736215422],
  ['const x = "ä🐑";\nx', 0x6c757669, 3449402033],
  ["let total: number = 0;", 0x6c757669, 3010129658],
  ["let total: number = 0;", 0xc70f6907, 2193677011],
];

test("cells are hashed as JupyterLab hashes them", () => {
  for (const [text, seed, hash] of known) assert.equal(murmur2(text, seed), hash, text);
});
