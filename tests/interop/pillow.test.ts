import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Canvas } from "../../src/data/pixels/augment/canvas";
import { grayOut } from "../../src/data/pixels/augment/colorJitter";
import { gaussianBlur } from "../../src/data/pixels/augment/gaussianBlur";
import { turnHue } from "../../src/data/pixels/augment/hue";
import { type AugmentOp, applyAugmentation } from "../../src/data/pixels/augment/randAugment";
import { PixelMemory } from "../../src/data/pixels/kernels/pixelMemory";
import { placePixels } from "../../src/data/pixels/kernels/resamplePixels";
import { cropBox, type ResampleFilter, resize } from "../../src/data/pixels/resample";
import { decodeImage } from "../../src/data/reading/decode";
import { decodePart } from "../../src/data/reading/readPart";
import { runPython, unlessPythonHas } from "./python";

const skip = unlessPythonHas("PIL", "numpy");
const folder = mkdtempSync(join(tmpdir(), "luvit-pillow-"));
after(() => rmSync(folder, { recursive: true, force: true }));

type Range = [start: number, length: number];
interface Image {
  readonly width: number;
  readonly height: number;
  readonly result: Range;
}
type FileCase = Image & { what: string; file: Range };
interface Cases {
  readonly jpeg: readonly FileCase[];
  readonly files: readonly FileCase[];
  readonly resize: readonly (Image & { filter: ResampleFilter; to: [number, number]; from: Range })[];
  readonly operations: readonly (Image & { op: AugmentOp; argument: number; from: Range })[];
  readonly colors: readonly (Image & { op: "hue" | "blur" | "gray"; argument: number; from: Range })[];
}

let cases: Cases;
let content: Buffer;
before(() => {
  if (skip) return;
  runPython("pillow.py", folder);
  cases = JSON.parse(readFileSync(join(folder, "cases.json"), "utf8"));
  content = readFileSync(join(folder, "cases.bin"));
});

const bytesOf = ([start, length]: Range) => content.subarray(start, start + length);
const imageOf = (data: Uint8Array, { width, height }: Image) => ({ data, width, height });
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

test("baseline JPEG files are decoded as Pillow decodes them, whole and in part, to the last bit", {
  skip,
}, () => {
  let decoded = 0;
  for (const { what, file, ...image } of cases.jpeg) {
    const { width, height } = image;
    const expected = imageOf(bytesOf(image.result), image);
    const whole = decodePart(bytesOf(file), { left: 0, top: 0, width, height });
    if (!whole) continue;
    decoded++;
    assert.ok(same(whole.data, expected.data), what);
    const [left, top] = [Math.floor(width / 3), Math.floor(height / 2)];
    const box = { left, top, width: Math.ceil(width / 2), height: Math.ceil(height / 4) };
    assert.ok(same(decodePart(bytesOf(file), box)!.data, cropBox(expected, box).data), `part of ${what}`);
  }
  const progressive = cases.jpeg.filter(({ what }) => what.includes("progressive")).length;
  assert.ok(decoded > 0.95 * (cases.jpeg.length - progressive), `${decoded} of ${cases.jpeg.length}`);
});

test("files of every kind are decoded as Pillow decodes them, to the last bit", { skip }, async () => {
  const different: string[] = [];
  for (const { what, file, ...image } of [...cases.files, ...cases.jpeg]) {
    const decoded = await decodeImage(bytesOf(file), { exif: "ignore" });
    assert.deepEqual([decoded.width, decoded.height], [image.width, image.height], what);
    if (!same(decoded.data, bytesOf(image.result))) different.push(what);
  }
  assert.deepEqual(different, []);
});

test("images are resized as Pillow resizes them, to the last bit", { skip }, () => {
  for (const { filter, to, from, ...image } of cases.resize) {
    const { data } = resize(imageOf(bytesOf(from), image), ...to, { filter });
    assert.ok(same(data, bytesOf(image.result)), `${image.width} x ${image.height} to ${to}, ${filter}`);
  }
});

test("RandAugment's operations are Pillow's, to the last bit", { skip }, () => {
  for (const { op, argument, from, ...image } of cases.operations) {
    const { data } = applyAugmentation(imageOf(bytesOf(from), image), { op, argument });
    assert.ok(same(data, bytesOf(image.result)), `${op} ${argument}, ${image.width} x ${image.height}`);
  }
});

test("hue, blur and gray are Pillow's, to the last bit", { skip }, () => {
  const operations = { hue: turnHue, blur: gaussianBlur, gray: grayOut };
  for (const { op, argument, from, ...image } of cases.colors) {
    const data = PixelMemory.use((memory) => {
      const { width, height } = image;
      const rows = { data: bytesOf(from), offset: 0, line: 3 * width, width, height };
      const canvas = new Canvas(memory, placePixels(memory, rows));
      operations[op](canvas, argument);
      return canvas.image().data;
    });
    assert.ok(same(data, bytesOf(image.result)), `${op} ${argument}, ${image.width} x ${image.height}`);
  }
});
