import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { decodeImage } from "../../src/data/reading/decode";
import { testSeed } from "../support/seededRng";
import { runPython, unlessPythonHas } from "./python";

const skip = unlessPythonHas("PIL", "numpy");
const folder = mkdtempSync(join(tmpdir(), "luvit-formats-"));
after(() => rmSync(folder, { recursive: true, force: true }));

type Range = [start: number, length: number];
interface FormatCase {
  readonly what: string;
  readonly file: Range;
  /** Null where Pillow refuses the file. */
  readonly result: Range | null;
  readonly width: number;
  readonly height: number;
}

test("random BMP, PNM, GIF and TIFF files are decoded as Pillow decodes them, to the last bit", {
  skip,
}, async () => {
  runPython("formats.py", folder, String(testSeed()));
  const cases: FormatCase[] = JSON.parse(readFileSync(join(folder, "cases.json"), "utf8"));
  const content = readFileSync(join(folder, "cases.bin"));
  const bytesOf = ([start, length]: Range) => content.subarray(start, start + length);
  const different: string[] = [];
  for (const { what, file, result, width, height } of cases) {
    if (!result) continue;
    const image = await decodeImage(bytesOf(file), { exif: "ignore" }, what);
    assert.deepEqual([image.width, image.height], [width, height], what);
    if (Buffer.compare(image.data, bytesOf(result)) !== 0) different.push(what);
  }
  assert.deepEqual(different, []);
  const read = cases.filter(({ result }) => result !== null).length;
  assert.ok(read > 0.95 * cases.length, `Pillow read ${read} of ${cases.length}`);
});
