import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import sharp from "sharp";
import { packageRoot } from "../../../../src/core/packageRoot";
import { readJpegHeader } from "../../../../src/data/pixels/jpeg/header";
import { decodeBmp } from "../../../../src/data/reading/formats/bmp";
import { decodeGif } from "../../../../src/data/reading/formats/gif";
import { formatOf, kindOf } from "../../../../src/data/reading/formats/identify";
import { decodePnm } from "../../../../src/data/reading/formats/pnm";
import { tiffReading } from "../../../../src/data/reading/formats/tiff";
import { readTiffLayout } from "../../../../src/data/reading/formats/tiffDirectory";
import { huggingFace } from "../../../../src/data/sets";
import * as transforms from "../../../../src/data/transforms";
import { approve } from "../../../support/approved";
import { damageReport, digest, type Read } from "../../../support/damaged";
import { temporaryFolder } from "../support";

interface PillowFile {
  readonly format: "BMP" | "PNM" | "GIF" | "TIFF";
  readonly what: string;
  readonly file: string;
}

const tests = join(packageRoot(), "tests", "unit", "data");
const files = JSON.parse(
  readFileSync(join(tests, "reading", "formats", "pillow.json"), "utf8"),
) as PillowFile[];
const most = 100_000;

const readers: Record<PillowFile["format"], Read> = {
  BMP: (file) => decodeBmp(file, most),
  GIF: (file) => decodeGif(file, most),
  PNM: (file) => [decodePnm(file, most, "clip"), decodePnm(file, most, "high-byte")],
  TIFF: (file) => {
    const layout = readTiffLayout(file);
    return [layout, tiffReading(layout)];
  },
};

for (const format of ["BMP", "GIF", "PNM", "TIFF"] as const)
  test(`${format} files whose bytes are changed, one by one`, async () => {
    const lines: string[] = [];
    for (const { what, file } of files.filter((one) => one.format === format)) {
      const bytes = Buffer.from(file, "base64");
      const to = Math.min(bytes.length, 150);
      const step = bytes.length > 250 ? 7 : 2;
      lines.push(`== ${what}`, ...(await damageReport(bytes, readers[format], { to, step })));
    }
    approve(`data/damaged ${format}`, lines);
  });

test("headers of JPEG files", async () => {
  const pixels = Buffer.from(Uint8Array.from({ length: 3 * 24 * 17 }, (_, i) => (i * 37) % 256));
  const image = sharp(pixels, { raw: { width: 24, height: 17, channels: 3 } });
  const lines: string[] = [];
  for (const options of [{}, { chromaSubsampling: "4:4:4" }, { progressive: true }]) {
    const file = await image.clone().withMetadata({ orientation: 6 }).jpeg(options).toBuffer();
    const start = file.indexOf(Buffer.from([0xff, 0xda])) + 14;
    const read: Read = (bytes) => readJpegHeader(bytes) ?? "not read here";
    lines.push(
      `== ${JSON.stringify(options)}`,
      ...(await damageReport(file.subarray(0, start), read, { step: 2 })),
    );
  }
  approve("data/damaged JPEG", lines);
});

test("what a file is, by its first bytes", () => {
  const seen = new Set<string>();
  for (const { file } of files) {
    const bytes = Buffer.from(file, "base64");
    for (let at = 0; at < 16; at++)
      for (const change of [0, 1, 0x20, 0x80]) {
        const changed = Buffer.from(bytes.subarray(0, 64));
        changed[at] ^= change;
        seen.add(`${changed.subarray(0, 16).toString("hex")} ${formatOf(changed)} ${kindOf(changed)}`);
      }
  }
  approve("data/kinds", [
    `${seen.size} beginnings: ${digest([...seen])}`,
    ...[...seen].filter((_, i) => i % 40 === 0),
  ]);
});

const tables = ["codecs/none.parquet", "labels/booleans.parquet", "kinds/file.arrow", "views/others.arrow"];
for (const name of tables)
  test(`the table ${name}, every few bytes changed`, async () => {
    const whole = readFileSync(join(tests, "tables", "fixtures", name));
    const path = join(temporaryFolder(), `x.${name.split(".")[1]}`);
    const read: Read = async (bytes) => {
      writeFileSync(path, bytes);
      const { shards, classes } = await huggingFace(path, { transform: transforms.none(4), cache: false });
      const images: unknown[] = [];
      for (const shard of shards)
        for (let row = 0; row < shard.rows; row++) images.push(await shard.image(row));
      return [classes, shards.map(({ labels }) => labels?.values), images];
    };
    const hidden: Read = async (bytes) => {
      try {
        return await read(bytes);
      } catch (error) {
        (error as Error).message = (error as Error).message.replaceAll(path, "x");
        throw error;
      }
    };
    const footer = name.endsWith("parquet") ? whole.length - 8 - whole.readUInt32LE(whole.length - 8) : 0;
    const to = name.endsWith("parquet") ? whole.length : Math.min(whole.length, 1200);
    approve(
      `data/damaged ${name.replace("/", " ")}`,
      await damageReport(whole, hidden, { from: footer, to, cutFrom: footer, step: 101 }),
    );
  });
