import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { Rng } from "../src/core/rng";
import type { Box } from "../src/data/pixels";
import { cropDraws, randomCropBox } from "../src/data/pixels/geometry";
import { decodeImage } from "../src/data/reading/decode";
import { decodePart } from "../src/data/reading/readPart";
import { alternate, type Side } from "./core/alternate";
import { type Heading, headingOf, headingText, noFigures } from "./core/heading";
import { HEIGHT, WIDTH, writeImages } from "./core/jpegFiles";
import type { BenchOptions } from "./core/options";
import type { Report } from "./core/report";
import { median, type Spread, scaleSpread, spreadOf } from "./core/statistics";

/** Ours, and sharp's (libjpeg-turbo), which decodes all of the image to have a part of it. */
interface Decoding {
  ms_per_image: Spread;
  sharp_ms_per_image: Spread;
  /** sharp's time / ours. */
  ratio: number;
}

/** Processor time from JPEG files in memory to RGB bytes: all of each, and what a random crop of pretraining looks at. */
export interface JpegResult extends Heading {
  images: number;
  whole: Decoding;
  crop: Decoding;
}

export async function jpeg(options: BenchOptions): Promise<Report> {
  sharp.concurrency(1);
  const folder = await mkdtemp(join(tmpdir(), "luvit-bench-"));
  try {
    await writeImages(folder, options.preset === "toy" ? 12 : 96);
    const files = await readAll(folder);
    const crops = new Rng(0);
    const boxes = files.map(() => randomCropBox(WIDTH, HEIGHT, cropDraws(crops, [0.2, 1])));
    const all = files.map(() => ({ left: 0, top: 0, width: WIDTH, height: HEIGHT }));
    const [whole, crop] = [await decoding(files, all, options), await decoding(files, boxes, options)];
    const { median } = whole.ms_per_image;
    const figures = { ...noFigures, ms_per_image: whole.ms_per_image, images_per_s: 1000 / median };
    const json = { ...figures, ...headingOf(options, null), images: files.length, whole, crop };
    return { json, text: jpegText(json) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readAll(folder: string): Promise<Buffer[]> {
  const names = await readdir(folder, { recursive: true });
  return Promise.all(
    names.filter((name) => name.endsWith(".jpg")).map((name) => readFile(join(folder, name))),
  );
}

async function decoding(
  files: readonly Buffer[],
  boxes: readonly Box[],
  options: BenchOptions,
): Promise<Decoding> {
  const ours = ofProcessor(async () => {
    for (const [i, file] of files.entries()) decodePart(file, boxes[i]);
  });
  const theirs = ofProcessor(async () => {
    for (const file of files) await decodeImage(file);
  });
  const [own, other] = await alternate([ours, theirs], options);
  const perImage = (runs: typeof own) => scaleSpread(spreadOf(runs.map(({ ms }) => ms)), 1 / files.length);
  const ratio = median(other.map(({ ms }, i) => ms / own[i].ms));
  return { ms_per_image: perImage(own), sharp_ms_per_image: perImage(other), ratio };
}

/** The processor's time, of all threads: readers keep all cores busy, so that it is what counts. */
function ofProcessor(body: () => Promise<void>): Side {
  return {
    async run() {
      const before = process.cpuUsage();
      await body();
      const { user, system } = process.cpuUsage(before);
      return { ms: (user + system) / 1e3, result: 0 };
    },
  };
}

function jpegText(result: JpegResult): string {
  const spread = ({ median: middle, min, max }: Spread) =>
    `${middle.toFixed(2)} ms/image (${min.toFixed(2)} to ${max.toFixed(2)})`;
  const line = (name: string, { ms_per_image, sharp_ms_per_image, ratio }: Decoding) =>
    `  ${name}: ${spread(ms_per_image)}; sharp ${spread(sharp_ms_per_image)}; sharp's time / ours ${ratio.toFixed(2)}`;
  return [
    ...headingText(result),
    `images  ${result.images} JPEG files ${WIDTH} x ${HEIGHT}; processor time of all threads`,
    line("whole image", result.whole),
    line("random crop", result.crop),
  ].join("\n");
}
