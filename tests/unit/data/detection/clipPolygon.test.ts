import assert from "node:assert/strict";
import { test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { clipPolygon } from "../../../../src/data/detection/clipPolygon";

const window = { left: 0, top: 0, right: 100, bottom: 80 };

/** By even and odd crossings of a ray to the right. */
function contains(polygon: ArrayLike<number>, x: number, y: number): boolean {
  let inside = false;
  for (let i = 0; i < polygon.length; i += 2) {
    const j = (i + 2) % polygon.length;
    if (polygon[i + 1] > y === polygon[j + 1] > y) continue;
    const at =
      polygon[i] + ((y - polygon[i + 1]) * (polygon[j] - polygon[i])) / (polygon[j + 1] - polygon[i + 1]);
    if (x < at) inside = !inside;
  }
  return inside;
}

test("what lies in the window stays, and nothing else, also of outlines that cross themselves", () => {
  const rng = new Rng(8);
  let several = 0;
  for (let i = 0; i < 400; i++) {
    const place = () => (i % 3 === 0 ? 20 * Math.round(rng.between(-3, 9)) : rng.between(-70, 170)); // on borders, too
    const polygon = Array.from({ length: 2 * (3 + rng.integer(10)) }, place);
    const pieces = clipPolygon(polygon, window);
    if (pieces.length > 1) several++;
    for (let k = 0; k < 200; k++) {
      const [x, y] = [rng.between(-20, 120), rng.between(-20, 100)];
      const inWindow = x > 0 && x < 100 && y > 0 && y < 80;
      const inPieces = pieces.filter((piece) => contains(piece, x, y)).length % 2 === 1;
      assert.equal(inPieces, inWindow && contains(polygon, x, y), `${polygon} at ${x}, ${y}`);
    }
    for (const piece of pieces)
      for (let at = 0; at < piece.length; at++)
        assert.ok(piece[at] >= 0 && piece[at] <= (at % 2 === 0 ? 100 : 80), `${piece}`);
  }
  assert.ok(several > 50, `${several}`);
});

test("an outline within the window stays as it is", () => {
  const inside = [10, 10, 90, 10, 50, 70];
  assert.deepEqual(clipPolygon(inside, window), [Float64Array.from(inside)]);
  const border = [0, 0, 100, 0, 100, 80, 0, 80];
  assert.deepEqual(clipPolygon(border, window), [Float64Array.from(border)]);
});

test("an outline around a corner leaves nothing along the border", () => {
  const around = [90, 40, 130, 40, 130, 110, 40, 110, 40, 70, 50, 70, 50, 100, 120, 100, 120, 50, 90, 50];
  const pieces = clipPolygon(around, window).map((piece) => [...piece]);
  assert.equal(pieces.length, 2);
  const corners = pieces.flatMap((piece) =>
    piece.flatMap((_, i) => (i % 2 === 0 ? [[piece[i], piece[i + 1]]] : [])),
  );
  assert.ok(corners.every(([x, y]) => x >= 90 || y >= 70));
  assert.ok(!corners.some(([x, y]) => x === 100 && y === 80));
});

test("what is outside, or has no area inside, is gone", () => {
  const gone = [
    [200, 10, 220, 10, 210, 30],
    [100, 10, 140, 10, 140, 50, 100, 50], // touches the border
    [-10, -10, 110, -10, 50, -5],
    [10, 10, 20, 20, 30, 30], // a line
    [10, 10, 10, 10, 10, 10],
    [],
  ];
  for (const polygon of gone) assert.deepEqual(clipPolygon(polygon, window), [], `${polygon}`);
});

test("corners that are there twice are left out", () => {
  assert.deepEqual(clipPolygon([10, 10, 10, 10, 90, 10, 50, 70, 50, 70], window), [
    Float64Array.of(10, 10, 90, 10, 50, 70),
  ]);
});
