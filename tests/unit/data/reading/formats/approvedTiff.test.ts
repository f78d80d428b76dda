import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../../../../src/core/packageRoot";
import { decodeImage } from "../../../../../src/data/reading/decode";
import { readTiffLayout } from "../../../../../src/data/reading/formats/tiffDirectory";
import { Calls } from "../../../../support/calls";

interface TiffFile {
  readonly format: string;
  readonly what: string;
  readonly file: string;
}

/** A directory of whole numbers in their places, of 12 bytes an entry. */
function directory(
  little: boolean,
  entries: readonly (readonly [tag: number, type: number, value: number])[],
): Buffer {
  const file = Buffer.alloc(10 + 12 * entries.length + 4);
  const short = (value: number, at: number) =>
    little ? file.writeUInt16LE(value, at) : file.writeUInt16BE(value, at);
  const long = (value: number, at: number) =>
    little ? file.writeUInt32LE(value, at) : file.writeUInt32BE(value, at);
  file.write(little ? "II" : "MM");
  short(42, 2);
  long(8, 4);
  short(entries.length, 8);
  for (const [i, [tag, type, value]] of entries.entries()) {
    const at = 10 + 12 * i;
    short(tag, at);
    short(type, at + 2);
    long(1, at + 4);
    if (type === 4) long(value, at + 8);
    else if (type === 3) short(value, at + 8);
    else file[at + 8] = value;
  }
  return file;
}

test("directories of TIFF files and what is read by them", async () => {
  const calls = new Calls();
  for (const little of [true, false])
    for (const type of [1, 3, 4, 2]) {
      const entries = [
        [258, type, 8],
        [259, type, 5],
        [262, type, 2],
        [277, type, 3],
        [284, type, 2],
        [338, type, 1],
        [339, type, 2],
      ] as const;
      await calls.does(`little ${little}, type ${type}`, () => readTiffLayout(directory(little, entries)));
    }
  for (const samples of [1, 3, 16, 17])
    await calls.does(`${samples} samples`, () =>
      readTiffLayout(
        directory(true, [
          [258, 3, 8],
          [277, 3, samples],
        ]),
      ),
    );
  await calls.does("no entries", () => readTiffLayout(directory(true, [])));
  const file = directory(true, [
    [258, 3, 8],
    [277, 3, 3],
  ]);
  for (const length of [2, 7, 9, 10, 21, 22, 30, 34])
    await calls.does(`its first ${length} bytes`, () => readTiffLayout(file.subarray(0, length)));
  const place = join(packageRoot(), "tests", "unit", "data", "reading", "formats", "pillow.json");
  for (const { format, what, file: text } of JSON.parse(readFileSync(place, "utf8")) as TiffFile[]) {
    if (format !== "TIFF") continue;
    const bytes = Buffer.from(text, "base64");
    await calls.does(what, () => readTiffLayout(bytes));
    for (const gray16 of ["clip", "high-byte"] as const)
      await calls.does(`  ${gray16}`, () => decodeImage(bytes, { gray16 }));
  }
  calls.approve("data/reading/TIFF files");
});
