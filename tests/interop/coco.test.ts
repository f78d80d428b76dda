import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { evaluate } from "../../src/analysis/detection";
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
import { readAnnotations, readResults, writeResults } from "../../src/data/coco";
import { arraysOf } from "../golden/cocoArrays";
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
  runPython("coco.py", "make", folder);
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

test("pycocotools reads what is written here, and both give the same scores to the last digits", {
  skip,
}, async () => {
  const seeds = [0, 1, 2, 3, 4, 5, 6]; // the last one is odd in every way
  const kinds = ["bbox", "segm"] as const;
  const place = (name: string) => join(folder, `${name}.json`);
  const open = async (kind: (typeof kinds)[number], seed: number) => {
    const truth = await readAnnotations(place(`truth${seed}`));
    return { truth, results: await readResults(place(`${kind}${seed}`), truth) };
  };
  for (const kind of kinds) {
    for (const seed of seeds)
      await writeResults(place(`ours-${kind}-${seed}`), (await open(kind, seed)).results, kind);
  }
  runPython("coco.py", "score", folder);
  for (const kind of kinds) {
    for (const seed of seeds) {
      const { truth, results } = await open(kind, seed);
      const scores = await evaluate(truth, results, { kind });
      const theirs = JSON.parse(readFileSync(place(`scores-${kind}-${seed}`), "utf8"));
      const stats = Object.values(scores.summary).map((value) => (Number.isNaN(value) ? -1 : value));
      stats.forEach((value, i) => {
        assert.ok(
          Math.abs(value - theirs.stats[i]) < 1e-12,
          `${kind} ${seed} ${i}: ${value} and ${theirs.stats[i]}`,
        );
      });
      const arrays = arraysOf(scores);
      for (const name of ["precision", "recall", "scores"] as const)
        assert.deepEqual(arrays[name], theirs[name], `${name}, ${kind} ${seed}`);
    }
  }
});
