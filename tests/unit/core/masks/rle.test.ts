import assert from "node:assert/strict";
import { test } from "node:test";
import {
  boxIou,
  decodeMask,
  encodeMask,
  maskArea,
  maskBox,
  maskIou,
  mergeMasks,
  rasterizeBox,
  rasterizePolygon,
  rleFromText,
  rleText,
} from "../../../../src/core/masks";
import { expectDrawable } from "../../../../src/core/masks/polygon";
import { Rng } from "../../../../src/core/rng";

const refused = (code: string, message: RegExp) => (error: Error & { code?: string }) =>
  error.name === "LuvitError" && error.code === code && message.test(error.message);

function randomMask(rng: Rng, height: number, width: number) {
  const share = rng.uniform();
  return Uint8Array.from({ length: height * width }, () => Number(rng.uniform() < share));
}

test("the text of runs: five bits a character, differences from the fourth run on", () => {
  const textOf = (...counts: number[]) => rleText({ height: 1, width: 1, counts: Uint32Array.from(counts) });
  assert.equal(textOf(0, 1, 15), "01?");
  assert.equal(textOf(16, 31, 32), "`0o0P1");
  assert.equal(textOf(5, 6, 7, 6), "5670", "the fourth as its difference from the second");
  assert.equal(textOf(5, 6, 7, 5, 8), "567O1");
  assert.equal(textOf(2 ** 32 - 1), "oooooo3");
  const text = "5670";
  assert.deepEqual([...rleFromText(text, 4, 6).counts], [5, 6, 7, 6]);
});

test("a mask is its runs down the columns, zeros first", () => {
  const rle = encodeMask([1, 0, 0, 1, 1, 0], 2, 3);
  assert.deepEqual([...rle.counts], [0, 2, 1, 1, 2]); // columns 11, 01, 00
  assert.deepEqual([...decodeMask(rle)], [1, 0, 0, 1, 1, 0]);
  assert.equal(maskArea(rle), 3);
  assert.deepEqual(maskBox(rle), [0, 0, 2, 2]);
  assert.throws(() => encodeMask([1, 0], 2, 3), refused("shape-mismatch", /2 pixels is not 2 x 3/));
});

test("runs, their text and their pixels are the same mask", () => {
  const rng = new Rng(1);
  for (let i = 0; i < 200; i++) {
    const [height, width] = [1 + rng.integer(40), 1 + rng.integer(40)];
    const mask = randomMask(rng, height, width);
    const rle = encodeMask(mask, height, width);
    assert.deepEqual(decodeMask(rle), mask);
    assert.deepEqual(rleFromText(rleText(rle), height, width), rle);
    assert.equal(
      maskArea(rle),
      mask.reduce((sum, x) => sum + x, 0),
    );
  }
});

test("the box of a mask with no pixel is four zeros, also where it has empty runs", () => {
  assert.deepEqual(maskBox({ height: 3, width: 4, counts: Uint32Array.of(12) }), [0, 0, 0, 0]);
  assert.deepEqual(maskBox({ height: 3, width: 4, counts: Uint32Array.of(6, 0, 6) }), [0, 0, 0, 0]);
});

test("runs that are not as long as the mask are refused, not drawn past its end", () => {
  for (const counts of [[5], [5, 6], [0, 4294967295], []]) {
    const rle = { height: 2, width: 5, counts: Uint32Array.from(counts) };
    assert.throws(() => decodeMask(rle), refused("bad-argument", /add up to \d+, not to 10/));
  }
});

test("a text that no mask has is refused with the character that is wrong", () => {
  const wrong: [string, RegExp][] = [
    ["", /add up to 0, not to 63/],
    ["o", /the number at character 1 is cut off/],
    ["o1o", /the number at character 3 is cut off/],
    ["ooooooooo1", /the number at character 1 is too long/],
    ["o 1", /character 2 is " "/],
    ["ß", /character 1 is "ß"/],
    ["O", /a run of -1 pixels/],
    ["n1", /add up to 62, not to 63/],
  ];
  for (const [text, message] of wrong) {
    assert.throws(() => rleFromText(text, 9, 7), refused("bad-argument", message), JSON.stringify(text));
  }
  assert.deepEqual([...rleFromText("0o1", 9, 7).counts], [0, 63]);
});

test("whatever is read as runs is a mask or a plain error", () => {
  const rng = new Rng(2);
  let read = 0;
  for (let i = 0; i < 20_000; i++) {
    const [height, width] = [1 + rng.integer(12), 1 + rng.integer(12)];
    const good = rleText(encodeMask(randomMask(rng, height, width), height, width));
    const characters = [...good];
    for (let change = 1 + rng.integer(3); change > 0; change--) {
      const code = rng.uniform() < 0.9 ? 48 + rng.integer(64) : rng.integer(300);
      characters.splice(rng.integer(characters.length + 1), rng.integer(2), String.fromCharCode(code));
    }
    try {
      const rle = rleFromText(characters.join(""), height, width);
      assert.equal(
        decodeMask(rle).reduce((sum, x) => sum + x, 0),
        maskArea(rle),
      );
      maskBox(rle);
      maskIou([rle], [rle], [0]);
      read++;
    } catch (error) {
      assert.equal((error as Error).name, "LuvitError", (error as Error).stack);
    }
  }
  assert.ok(read > 100, `${read}`);
});

test("masks are merged pixel by pixel, and only with others of their size", () => {
  const rng = new Rng(3);
  for (let i = 0; i < 100; i++) {
    const [height, width] = [1 + rng.integer(20), 1 + rng.integer(20)];
    const masks = Array.from({ length: 1 + rng.integer(4) }, () => randomMask(rng, height, width));
    const rles = masks.map((mask) => encodeMask(mask, height, width));
    const union = masks[0].map((_, at) => Number(masks.some((mask) => mask[at])));
    const common = masks[0].map((_, at) => Number(masks.every((mask) => mask[at])));
    assert.deepEqual(decodeMask(mergeMasks(rles)), union);
    assert.deepEqual(decodeMask(mergeMasks(rles, "intersection")), common);
  }
  const [small, large] = [encodeMask([1], 1, 1), encodeMask([1, 1], 1, 2)];
  assert.throws(() => mergeMasks([small, large]), refused("shape-mismatch", /1 x 1 and of 1 x 2/));
  assert.throws(() => mergeMasks([]), refused("bad-argument", /there are no masks/));
});

test("a crowd is as large as what lies in it; masks of other sizes overlap by -1", () => {
  const whole = encodeMask([1, 1, 1, 1], 2, 2);
  const half = encodeMask([1, 0, 1, 0], 2, 2);
  assert.deepEqual([...maskIou([half], [whole, whole], [0, 1])], [0.5, 1]);
  assert.deepEqual(
    [
      ...boxIou(
        [[0, 0, 1, 2]],
        [
          [0, 0, 2, 2],
          [0, 0, 2, 2],
          [3, 0, 1, 1],
        ],
        [0, 1, 0],
      ),
    ],
    [0.5, 1, 0],
  );
  assert.deepEqual([...maskIou([half], [encodeMask([1, 1, 1, 1], 1, 4)], [0])], [-1]);
});

test("polygons are cut off at the image, and what cannot be drawn is refused", () => {
  assert.equal(maskArea(rasterizePolygon([-50, -50, 60, -50, 60, 60, -50, 60], 7, 9)), 63);
  assert.equal(maskArea(rasterizePolygon([100, 100, 110, 100, 110, 110], 7, 9)), 0);
  assert.equal(maskArea(rasterizePolygon([], 7, 9)), 0);
  assert.equal(maskArea(rasterizePolygon([3, 3, 3, 3, 3, 3], 7, 9)), 0);
  assert.deepEqual([...rasterizeBox([2, 1, 3, 2], 4, 6).counts], [9, 2, 2, 2, 2, 2, 5]);
  for (const corner of [Number.NaN, Number.POSITIVE_INFINITY, 1e300]) {
    assert.throws(
      () => rasterizePolygon([0, 0, corner, 5, 3, 9], 7, 9),
      refused("bad-argument", /cannot be drawn/),
    );
  }
});

/** Rows of a mask as text. */
const shown = (rle: { height: number; width: number; counts: Uint32Array }) => {
  const mask = decodeMask(rle);
  return Array.from({ length: rle.height }, (_, y) =>
    Array.from(mask.subarray(y * rle.width, (y + 1) * rle.width), (inside) => (inside ? "#" : ".")).join(""),
  );
};

test("boxes on whole pixels are those pixels, wherever they touch or leave the image", () => {
  const box = (x: number, y: number, width: number, height: number) =>
    shown(rasterizeBox([x, y, width, height], 3, 12));
  assert.deepEqual(box(0, 0, 1, 1), ["#...........", "............", "............"]);
  assert.deepEqual(box(11, 2, 1, 1), ["............", "............", "...........#"]);
  assert.deepEqual(box(9, 1, 5, 9), ["............", ".........###", ".........###"]);
  assert.deepEqual(box(-4, -4, 6, 6), ["##..........", "##..........", "............"]);
  assert.deepEqual(box(2, 0, 9, 3), ["..#########.", "..#########.", "..#########."], "beyond column nine");
  assert.deepEqual(box(0, 0, 12, 3), Array(3).fill("############"));
  const twice = [2, 0, 2, 3, 4, 3, 4, 0];
  assert.deepEqual(
    shown(rasterizePolygon([...twice, ...twice], 3, 6)),
    ["......", "......", "......"],
    "what is crossed twice is outside",
  );
});

test("an outline may be 4 194 304 pixels long, across or down", () => {
  for (const far of [
    [2 ** 21 - 3, 0],
    [0, 2 ** 21 - 3],
  ])
    assert.doesNotThrow(() => expectDrawable([0, 0, ...far, 1, 1]));
  for (const far of [
    [2 ** 21, 0],
    [0, 2 ** 21],
  ])
    assert.throws(
      () => expectDrawable([0, 0, ...far, 1, 1], "here"),
      refused("bad-argument", /^here: an outline of 4194\d{3} pixels cannot be drawn/),
    );
});

/** Outlines and what pycocotools makes of them: runs as text, area, box. */
const outlines: [
  height: number,
  width: number,
  polygon: number[],
  text: string,
  area: number,
  box: number[],
][] = [
  [13, 8, [-0.2, 7.6, 3.3, -1.2, -1.1, 2.5], "157O2MT2", 10, [0, 0, 3, 6]],
  [11, 5, [-1.3, 4.9, 3.7, 2.4, 3.9, 6.8], "4290O1017", 11, [0, 3, 4, 4]],
  [6, 8, [1.4, 2.2, 1.6, 4.7, 3.3, -0.1, 4.5, 5.5, 1.9, 0.5], "814002g0", 5, [1, 0, 3, 3]],
  [10, 9, [0.2, 2.7, 8.2, 3.7, 3.6, 3.9], "g01900000k0", 4, [2, 3, 4, 1]],
  [10, 6, [0.5, 3.8, 2.7, 2, 1.1, 4.4, 6.2, 6.1], "=1o00_O", 2, [1, 3, 4, 3]],
  [7, 12, [5.3, 0.6, 1.5, 3.6, -0.2, 3.3], ":150n1", 2, [1, 2, 2, 2]],
  [9, 13, [5.8, 8.2, 3.6, 8.6, 6.3, 5], "[1171i1", 3, [4, 6, 2, 2]],
  [12, 5, [-0.4, 3, 5, 3.3, -1.3, 5.7], "32:00O1000M", 7, [0, 3, 5, 2]],
];

test("an outline has the runs, the area and the box that pycocotools gives it", () => {
  for (const [height, width, polygon, text, area, box] of outlines) {
    const rle = rasterizePolygon(polygon, height, width);
    assert.equal(rleText(rle), text);
    assert.deepEqual([maskArea(rle), [...maskBox(rle)]], [area, box], text);
  }
});

test("masks overlap by as much as pycocotools says, with a crowd by the share of the detection", () => {
  const read = (text: string) => rleFromText(text, 6, 5);
  const [detections, truths] = [
    ["321O36MJ040M0", "123ON42L0010N1"],
    ["13110O1OO001010", "232N00O0021OO40K"],
  ].map((texts) => texts.map(read));
  assert.deepEqual([...maskIou(detections, truths, [0, 1])], [0.5, 2 / 3, 5 / 12, 7 / 13]);
});
