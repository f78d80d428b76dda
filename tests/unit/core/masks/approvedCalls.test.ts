import { describe, it } from "node:test";
import * as masks from "../../../../src/core/masks";
import { Calls } from "../../../support/calls";

type Rle = masks.Rle;
const rle = (height: number, width: number, ...counts: number[]): Rle => ({
  height,
  width,
  counts: Uint32Array.from(counts),
});
/** A mask of rows of "." and "#". */
const drawn = (...rows: string[]) =>
  masks.encodeMask(
    [...rows.join("")].map((one) => (one === "#" ? 1 : 0)),
    rows.length,
    rows[0]?.length ?? 0,
  );
const rows = (mask: Rle) => {
  const pixels = masks.decodeMask(mask);
  return Array.from({ length: mask.height }, (_, y) =>
    Array.from(pixels.subarray(y * mask.width, (y + 1) * mask.width), (one) => (one ? "#" : ".")).join(""),
  );
};

describe("of masks", () => {
  it("what runs, areas, boxes and texts come to is approved", async () => {
    const calls = new Calls();
    const all = {
      empty: drawn("....", "....", "...."),
      full: drawn("####", "####"),
      first: drawn("#..", "..."),
      last: drawn("...", "..#"),
      odd: drawn(".##..", "##.#.", "....#"),
      column: drawn(".#.", ".#.", ".#."),
      spans: drawn("..", "#.", "##", ".#"),
      none: rle(0, 0, 0),
      wide: rle(7, 300, 1000, 5, 0, 3, 40, 1052),
    };
    for (const [name, mask] of Object.entries(all)) {
      calls.note(`# ${name}`, mask);
      await calls.of(masks.maskArea, mask);
      await calls.of(masks.maskBox, mask);
      await calls.of(masks.rleText, mask);
      await calls.of(masks.maskOutlines, mask);
      await calls.does("decoded", () => masks.decodeMask(mask));
      await calls.does("from its text", () =>
        masks.rleFromText(masks.rleText(mask), mask.height, mask.width),
      );
    }
    await calls.of(masks.encodeMask, [0, 2, -1, 0.5, 0, Number.NaN], 2, 3);
    await calls.of(masks.encodeMask, [0, 1, 1], 2, 2);
    await calls.of(masks.encodeMask, [1, 1, 1, 0, 0], 2, 2);
    for (const counts of [[], [6], [5], [7], [0, 6], [1, 2, 3], [1, 2, 4]]) {
      await calls.of(masks.expectWhole, rle(2, 3, ...counts));
      await calls.of(masks.decodeMask, rle(2, 3, ...counts));
    }
    calls.title("texts");
    for (const text of [
      "",
      "6",
      "06",
      "123",
      "n",
      "p",
      "/",
      "6 ",
      "6\n",
      "ä",
      "P",
      "o",
      "ooooooo",
      "oooooo0",
      "ooooooO",
      "1",
      "15",
      "7",
      "33",
      "10:",
      "1130",
    ])
      await calls.of(masks.rleFromText, text, 2, 3);
    await calls.of(masks.rleFromText, "PPYo1", 1000, 700);
    for (const counts of [
      [15, 16, 31, 32],
      [500, 1, 3, 1023, 1024],
      [2 ** 31, 5],
      [4294967295, 0, 4294967295, 1],
    ])
      await calls.of(masks.rleText, rle(1, 1, ...counts));
    calls.title("outlines");
    for (const mask of [
      drawn("###", "#.#", "###"),
      drawn("#.", ".#"),
      drawn(".#", "#."),
      drawn("#.#", ".#.", "#.#"),
      drawn("#####", "#.#.#", "###.#", "#####"),
    ]) {
      calls.note("of", rows(mask));
      await calls.does("outlines", () => masks.maskOutlines(mask));
    }
    calls.approve("core/masks runs");
  });

  it("what overlaps and unions come to is approved", async () => {
    const calls = new Calls();
    const [a, b, c] = [
      drawn("##..", "##..", "...."),
      drawn(".##.", ".##.", ".##."),
      drawn("....", "....", "...#"),
    ];
    const [none, other] = [drawn("....", "....", "...."), drawn("##.", "##.")];
    for (const how of [undefined, "union", "intersection"] as const)
      for (const [name, list] of Object.entries({
        a: [a],
        "a b": [a, b],
        "b a": [b, a],
        "a b c": [a, b, c],
        "a none": [a, none],
        "a a b b c": [a, a, b, b, c],
        full: [drawn("##", "##"), drawn("#.", "##")],
      }))
        await calls.does(`${how} of ${name}`, () => [
          masks.mergeMasks(list, how).counts,
          rows(masks.mergeMasks(list, how)),
        ]);
    await calls.does("of none", () => masks.mergeMasks([]));
    await calls.does("of other sizes", () => masks.mergeMasks([a, b, other]));
    await calls.does("of other widths", () => masks.mergeMasks([drawn("##"), drawn("#")]));
    for (const crowd of [
      [0, 0, 0, 0],
      [1, 0, 1, 0],
      [false, true, false, true],
    ]) {
      await calls.does(`maskIou ${crowd}`, () => masks.maskIou([a, b, other], [b, c, a, none], crowd));
      await calls.does(`boxIou ${crowd}`, () =>
        masks.boxIou(
          [
            [0, 0, 2, 2],
            [1, 0.5, 2.5, 3],
          ],
          [
            [1, 1, 2, 2],
            [2, 0, 1, 1],
            [0, 0, 4, 4],
            [0, 0, 0, 5],
          ],
          crowd,
        ),
      );
    }
    await calls.does("none", () => [
      masks.maskIou([], [a], [0]),
      masks.maskIou([a], [], []),
      masks.boxIou([], [], []),
    ]);
    await calls.does("boxes that touch, and NaN", () =>
      masks.boxIou(
        [[0, 0, 2, 2]],
        [
          [2, 0, 2, 2],
          [0, 2, 2, 2],
          [Number.NaN, 0, 1, 1],
          [1.5, 1.5, 1, 1],
        ],
        [0, 0, 0, 0],
      ),
    );
    await calls.does("boxes of masks that meet, of which nothing does", () =>
      masks.maskIou([drawn("#.", ".#")], [drawn(".#", "#.")], [0]),
    );
    calls.title("polygons");
    const polygons: Record<string, number[]> = {
      triangle: [1, 1, 6, 1, 1, 5],
      turned: [1, 1, 1, 5, 6, 1],
      slanted: [0.3, 0.7, 5.2, 2.1, 3.9, 6.4, 1.5, 4.8],
      beyond: [-3, -2, 12, 1, 4, 9],
      line: [1, 1, 5, 1],
      dot: [2, 2],
      none: [],
      "odd count": [1, 1, 6, 1, 1, 5, 9],
      crossed: [0, 0, 6, 6, 6, 0, 0, 6],
      steep: [2.5, 0, 3.5, 8, 2, 8],
    };
    for (const [name, polygon] of Object.entries(polygons))
      await calls.does(name, () => [
        rows(masks.rasterizePolygon(polygon, 7, 8)),
        masks.rasterizePolygon(polygon, 7, 8).counts,
      ]);
    for (const polygon of [
      [1, 1, Number.NaN, 1, 1, 5],
      [0, 0, Number.POSITIVE_INFINITY, 2],
      [0, 0, 2 ** 21 - 1, 0],
      [0, 0, 2 ** 21, 0],
      [0, 0, 0, 2 ** 21],
    ]) {
      await calls.of(masks.expectDrawable, polygon);
      await calls.of(masks.expectDrawable, polygon, "annotation 3");
    }
    await calls.does("of what cannot be drawn", () => masks.rasterizePolygon([0, 0, Number.NaN, 1], 3, 3));
    await calls.does("several", () =>
      rows(
        masks.rasterizePolygons(
          [
            [0, 0, 3, 0, 0, 3],
            [4, 4, 7, 4, 7, 6, 4, 6],
          ],
          7,
          8,
        ),
      ),
    );
    await calls.does("several, none", () => masks.rasterizePolygons([], 7, 8));
    for (const box of [
      [1, 2, 3, 4],
      [0.5, 0.5, 2, 1],
      [-1, -1, 3, 3],
      [5, 5, 9, 9],
      [2, 2, 0, 3],
    ] as masks.BoxXywh[])
      await calls.does(`box ${box}`, () => rows(masks.rasterizeBox(box, 7, 8)));
    calls.approve("core/masks overlaps");
  });
});
