import assert from "node:assert/strict";
import { test } from "node:test";
import { moreShapes } from "../../../../src/data/toy/moreShapes";
import { allShapes } from "../../../../src/data/toy/scene";

/* What the further shapes look like: pieces with straight edges, and circles. Published runs name seeds of their drawings. */

type Point = readonly [u: number, v: number];
/** Corners in their order, or a circle. */
type Piece = readonly Point[] | { readonly center: Point; readonly radius: number };

const box = (left: number, top: number, right: number, bottom: number): Piece => [
  [left, top],
  [right, top],
  [right, bottom],
  [left, bottom],
];
/** Symmetric about u = 0, by half widths at two heights. */
const trapezoid = (top: number, topHalf: number, bottom: number, bottomHalf: number): Piece => [
  [-topHalf, top],
  [topHalf, top],
  [bottomHalf, bottom],
  [-bottomHalf, bottom],
];
const circle = (u: number, v: number, radius: number): Piece => ({ center: [u, v], radius });

const sails: Piece[] = [
  [
    [0, -0.88],
    [0.72, 0.18],
    [0, 0.18],
  ],
  [
    [-0.12, -0.88],
    [-0.62, 0.18],
    [-0.12, 0.18],
  ],
];

const drawn: Record<string, { look: readonly number[]; parts: readonly Piece[]; detail: readonly Piece[] }> =
  {
    arrow: {
      look: [205, 0.6, 0.5, 1],
      parts: [
        box(-0.92, -0.2, 0.2, 0.2),
        [
          [0.08, -0.7482],
          [0.95, 0],
          [0.08, 0.7482],
        ],
      ],
      detail: [box(-0.92, -0.2, -0.66, 0.2)],
    },
    boat: {
      look: [28, 0.55, 0.48, 2],
      parts: [trapezoid(0.28, 0.92, 0.74, 0.6348), box(-0.12, -0.9, 0, 0.3), ...sails],
      detail: sails,
    },
    cross: {
      look: [130, 0.5, 0.44, 0],
      parts: [box(-0.94, -0.28, 0.94, 0.28), box(-0.28, -0.94, 0.28, 0.94)],
      detail: [circle(0, 0, 0.18)],
    },
    drop: {
      look: [190, 0.7, 0.6, 3],
      parts: [circle(0, 0.34, 0.6), trapezoid(-0.96, 0, 0.2, 0.58)],
      detail: [circle(-0.2, 0.3, 0.14)],
    },
    house: {
      look: [10, 0.5, 0.56, 2],
      parts: [box(-0.58, -0.1, 0.58, 0.76), trapezoid(-0.86, 0, -0.06, 0.864)],
      detail: [box(-0.16, 0.26, 0.16, 0.76)],
    },
    tree: {
      look: [95, 0.55, 0.4, 1],
      parts: [
        trapezoid(-0.96, 0, -0.1, 0.4988),
        trapezoid(-0.4, 0.1, 0.48, 0.804),
        box(-0.15, 0.48, 0.15, 0.94),
      ],
      detail: [box(-0.15, 0.48, 0.15, 0.94)],
    },
  };

/** By how often a line to the right of a point crosses the edges. */
function isIn(piece: Piece, [u, v]: Point): boolean {
  if ("radius" in piece) return Math.hypot(u - piece.center[0], v - piece.center[1]) < piece.radius;
  return (
    piece.filter(([u1, v1], i) => {
      const [u2, v2] = piece[(i + 1) % piece.length];
      return v1 > v !== v2 > v && u < u1 + ((v - v1) * (u2 - u1)) / (v2 - v1);
    }).length %
      2 ===
    1
  );
}

test("the further shapes and their details are these pieces, in the order of their names", () => {
  assert.deepEqual(
    moreShapes.map(({ name }) => name),
    Object.keys(drawn),
  );
  assert.deepEqual(allShapes.slice(-moreShapes.length), moreShapes);
  // Odd steps, so that no point lies on an edge.
  const steps = Array.from({ length: 221 }, (_, i) => -1.0007 + (i * 2.0017) / 220);
  for (const shape of moreShapes) {
    const { look, parts, detail } = drawn[shape.name];
    assert.deepEqual([shape.hue, shape.saturation, shape.lightness, shape.texture], look, shape.name);
    for (const u of steps)
      for (const v of steps) {
        const expected = parts.some((piece) => isIn(piece, [u, v]));
        const where = `${shape.name} at ${u.toFixed(4)}, ${v.toFixed(4)}`;
        if (shape.contains(u, v) !== expected) assert.fail(`${where}: expected ${expected}`);
        if (!expected) continue;
        const isDetail = detail.some((piece) => isIn(piece, [u, v]));
        if (shape.detail(u, v) !== isDetail) assert.fail(`${where}: detail expected ${isDetail}`);
      }
  }
});
