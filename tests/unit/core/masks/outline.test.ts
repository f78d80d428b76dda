import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMask, encodeMask, maskOutlines } from "../../../../src/core/masks";
import { Rng } from "../../../../src/core/rng";

const maskOf = (...rows: string[]) =>
  encodeMask(
    [...rows.join("")].map((one) => Number(one === "#")),
    rows.length,
    rows[0].length,
  );

test("a block has one outline of four corners along the edges of its pixels, clockwise", () => {
  assert.deepEqual(
    maskOutlines(maskOf("....", ".##.", ".##.")).map((line) => [...line]),
    [[1, 1, 3, 1, 3, 3, 1, 3]],
  );
});

test("a hole has an outline of its own, the other way around", () => {
  const outlines = maskOutlines(maskOf("###", "#.#", "###")).map((line) => [...line]);
  assert.deepEqual(outlines, [[0, 0, 3, 0, 3, 3, 0, 3], [1, 2, 2, 2, 2, 1, 1, 1].slice()]);
});

test("pixels that touch at a corner are outlined each for itself, an empty mask not at all", () => {
  assert.equal(maskOutlines(maskOf("#.", ".#")).length, 2);
  assert.equal(maskOutlines(maskOf(".#", "#.")).length, 2);
  assert.deepEqual(maskOutlines(maskOf("..", "..")), []);
});

test("the outlines of any mask enclose its pixels and no others", () => {
  const rng = new Rng(3);
  for (let i = 0; i < 200; i++) {
    const [height, width] = [1 + rng.integer(12), 1 + rng.integer(12)];
    const pixels = Uint8Array.from({ length: height * width }, () => Number(rng.uniform() < 0.55));
    const outlines = maskOutlines(encodeMask(pixels, height, width));
    const found = pixels.map((_, at) =>
      Number(winding(outlines, (at % width) + 0.5, Math.floor(at / width) + 0.5) === 1),
    );
    assert.deepEqual([...found], [...decodeMask(encodeMask(pixels, height, width))]);
  }
});

/** How often lines go around a place, clockwise. */
function winding(lines: readonly Float64Array[], x: number, y: number): number {
  let turns = 0;
  for (const line of lines) {
    for (let i = 0; i < line.length; i += 2) {
      const [ax, ay, by] = [line[i], line[i + 1], line[(i + 3) % line.length]];
      if (ax > x && ay < y && by > y) turns++;
      if (ax > x && ay > y && by < y) turns--;
    }
  }
  return turns;
}
