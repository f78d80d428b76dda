import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import type { Table } from "apache-arrow";
import { entropyShares } from "../../../src/analysis/entropyShares";
import { ablateHeads, patchActivations } from "../../../src/analysis/interventions";
import { rowsOf } from "../../../src/analysis/provenance";
import { pseudoMaskIou } from "../../../src/analysis/pseudoMaskIou";
import { wholeBatches } from "../../../src/analysis/wholeBatches";
import { startBackend } from "../../../src/core/tf";
import type { MaskedDataset } from "../../../src/data/segmentation";
import { wholeImages } from "../../../src/data/wholeImages";
import { assertRejects, maskedImages, type Region, temporaryFolder, tinyLuvit } from "./support";

before(async () => void (await startBackend()));

const regions: Region[][] = Array.from({ length: 7 }, (_, i) =>
  ["object", "ground", "ground", "object"].map((region, at) =>
    at === i % 4 ? "object" : (region as Region),
  ),
);

/** Makes files of a set unreadable; gives back what puts them right again. */
function breakFiles(set: MaskedDataset, ...indices: number[]): () => void {
  const whole = indices.map((index) => ({ path: set.path(index), bytes: readFileSync(set.path(index)) }));
  for (const { path } of whole) writeFileSync(path, "no image");
  return () => {
    for (const { path, bytes } of whole) writeFileSync(path, bytes);
  };
}

interface Analysed {
  table: Table;
  unreadable: unknown;
}

const one = { engine: "eager", keepEvery: 2 } as const;
const options = { ...one, batchSize: 2 } as const;
const analyses: Record<string, (set: MaskedDataset, out?: string) => Promise<Analysed>> = {
  entropyShares: (set, out) => entropyShares(tinyLuvit(), { mine: set }, { ...options, out }),
  pseudoMaskIou: (set, out) => pseudoMaskIou(tinyLuvit(), set, { ...options, out }),
  ablateHeads: (set, out) => ablateHeads(tinyLuvit(), set, { ...one, out }),
  patchActivations: (set, out) => patchActivations(tinyLuvit(), set, set, { ...options, out }),
};

for (const [name, analyse] of Object.entries(analyses)) {
  test(`${name} says how many images could not be read, the second time too, and tries them again`, async () => {
    const [set, out] = [await maskedImages(regions), temporaryFolder()];
    const expected = rowsOf((await analyse(await maskedImages(regions))).table);
    const mend = breakFiles(set, 1, 4, 5);
    for (const time of ["first", "second"]) {
      const broken = await analyse(set, out);
      assert.match(String(broken), /could not be read, and left out: 3 images/, time);
      assert.deepEqual(
        [broken.unreadable].map((one) => (typeof one === "object" ? { ...one } : one)),
        [name === "entropyShares" ? { mine: 3 } : 3],
      );
    }
    mend();
    const fresh = await maskedImages(regions); // what is known to be unreadable is not read again
    const mended = await analyse(fresh, out);
    assert.doesNotMatch(String(mended), /could not be read/);
    assert.deepEqual(rowsOf(mended.table).map(withoutPath), expected.map(withoutPath));
  });

  test(`${name} of a set of which nothing can be read ends with the reasons, and so does the next time`, async () => {
    const [set, out] = [await maskedImages(regions), temporaryFolder()];
    breakFiles(set, ...regions.keys());
    const reasons = ["none of the 7 images can be read", "0.png"];
    await assertRejects(analyse(set, out), "bad-dataset", ...reasons);
    await assertRejects(analyse(set, out), "bad-dataset", ...reasons);
    await assertRejects(analyse(set.subset([]), join(out, "none")), "bad-argument");
  });
}

const withoutPath = ({ image, ...row }: Record<string, unknown>) => row;

test("images that two processes have kept count once", async () => {
  const [set, out] = [await maskedImages(regions), temporaryFolder()];
  const kept = (keepEvery: number) =>
    entropyShares(tinyLuvit(), { mine: set }, { ...options, keepEvery, out });
  const { table } = await kept(2);
  const folder = join(out, "mine", "entropy", "kept");
  writeFileSync(join(folder, "000001-000002.arrow"), readFileSync(join(folder, "000000-000002.arrow")));
  assert.deepEqual(rowsOf((await kept(4)).table), rowsOf(table));
});

test("windows of whole images of which none can be read are passed one by one, and work may end at each", async () => {
  const set = await maskedImages(regions);
  breakFiles(set, ...regions.keys());
  const how = { engine: "eager", batchSize: 1, ranges: [{ start: 0, end: 7 }] } as const;
  const passed: unknown[] = [];
  for await (const { samples, size, start, end, canStop } of wholeBatches(tinyLuvit(), set, () => ({}), how))
    passed.push({ samples, size, start, end, canStop });
  const none = { samples: [], size: 1, canStop: true };
  assert.deepEqual(passed, [
    { ...none, start: 0, end: 4 },
    { ...none, start: 4, end: 7 },
  ]);
});

test("batches of whole images have every image of their window, unreadable ones with the next or the last", async () => {
  const set = await maskedImages(regions);
  const whole = wholeImages(set, { patch: 8 });
  breakFiles(set, 0, 2, 3, 6);
  const how = { engine: "eager", batchSize: 1, ranges: [{ start: 0, end: 7 }] } as const;
  const passed: unknown[] = [];
  for await (const { samples, start, end, canStop } of wholeBatches(tinyLuvit(), whole, () => ({}), how))
    passed.push([samples.map(({ index }) => index), start, end, canStop]);
  assert.deepEqual(passed, [
    [[1], 0, 4, true],
    [[4], 4, 5, false],
    [[5], 5, 7, true],
  ]);
});
