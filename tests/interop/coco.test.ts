import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  type BoxXywh,
  boxIou,
  decodeMask,
  encodeMask,
  maskArea,
  maskBox,
  maskIou,
  mergeMasks,
  type Rle,
  rasterizeBox,
  rasterizePolygons,
  rleFromText,
  rleText,
} from "../../src/core/masks";
import { runPython, unlessPythonHas } from "./python";

const skip = unlessPythonHas("pycocotools", "numpy");
const folder = mkdtempSync(join(tmpdir(), "luvit-coco-"));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Text {
  readonly size: [height: number, width: number];
  readonly counts: string;
}
type Told = Text & { readonly pixels: string; readonly area: number; readonly box: BoxXywh };
interface Masks {
  readonly encoded: readonly Told[];
  readonly runs: readonly (Told & { given: { counts: number[] } })[];
  readonly polygons: readonly (Told & { polygons: number[][] })[];
  readonly boxes: readonly (Told & { given: BoxXywh })[];
  readonly merged: readonly { given: Text[]; intersect: boolean; result: Text }[];
  readonly overlaps: readonly {
    detections: Text[];
    truths: Text[];
    crowd: number[];
    masks: number[][];
    boxes: number[][];
    detectionBoxes: BoxXywh[];
    truthBoxes: BoxXywh[];
  }[];
}

let masks: Masks;
before(() => {
  if (skip) return;
  runPython("coco.py", folder);
  masks = JSON.parse(readFileSync(join(folder, "masks.json"), "utf8"));
});

const rleOf = ({ size, counts }: Text) => rleFromText(counts, ...size);
/** pycocotools' arrays of masks flatten in rows. */
const pixelsOf = (rle: Rle) => decodeMask(rle).join("");

function expectTold(rle: Rle, told: Told): void {
  assert.equal(rleText(rle), told.counts);
  assert.equal(pixelsOf(rle), told.pixels);
  assert.equal(maskArea(rle), told.area);
  const emptyBox = [0, 0, 0, 0]; // where empty runs are all there is, pycocotools' numbers overflow
  assert.deepEqual(maskBox(rle), told.area > 0 ? told.box : emptyBox);
}

test("runs, texts, areas and boxes of masks are pycocotools'", { skip }, () => {
  for (const told of masks.encoded) {
    expectTold(encodeMask([...told.pixels].map(Number), ...told.size), told);
    expectTold(rleOf(told), told);
  }
});

test("runs of no length are kept as pycocotools keeps them", { skip }, () => {
  assert.ok(masks.runs.length > 100);
  for (const { given, ...told } of masks.runs) {
    const [height, width] = told.size;
    expectTold({ height, width, counts: Uint32Array.from(given.counts) }, told);
  }
});

test("polygons and boxes are drawn as pycocotools draws them, to the pixel", { skip }, () => {
  for (const { polygons, ...told } of masks.polygons)
    expectTold(rasterizePolygons(polygons, ...told.size), told);
  for (const { given, ...told } of masks.boxes) expectTold(rasterizeBox(given, ...told.size), told);
});

test("masks are merged as pycocotools merges them", { skip }, () => {
  for (const { given, intersect, result } of masks.merged) {
    const merged = mergeMasks(given.map(rleOf), intersect ? "intersection" : "union");
    assert.equal(rleText(merged), result.counts);
  }
});

test("overlaps of masks and of boxes are pycocotools' to the last bit", { skip }, () => {
  for (const { crowd, ...given } of masks.overlaps) {
    const ofMasks = maskIou(given.detections.map(rleOf), given.truths.map(rleOf), crowd);
    assert.deepEqual([...ofMasks], given.masks.flat());
    assert.deepEqual([...boxIou(given.detectionBoxes, given.truthBoxes, crowd)], given.boxes.flat());
  }
});
