import { join } from "node:path";
import sharp from "sharp";
import { cutBox, mixBatch } from "../../src/data/mixup";
import { flipHorizontally, randomCropBox, shorterSideSize } from "../../src/data/pixels/geometry";
import { normalize } from "../../src/data/pixels/normalize";
import { cropBox, resize } from "../../src/data/pixels/resample";
import type { RgbImage } from "../../src/data/pixels/rgbImage";
import { decodeImage } from "../../src/data/reading/decode";
import * as transforms from "../../src/data/transforms";
import { augmentChecks, erasingChecks } from "./augmentations";
import { boxDraws } from "./boxDraws";
import { type CaseFile, type CaseRunner, type Check, maxAbsError } from "./harness";
import { type GoldenTensor, readTensors } from "./readTensors";

type Tensors = Map<string, GoldenTensor>;

/**
 * The `images` case: decoded pixels, evaluation transform, crops, RandAugment's operations, erased boxes, mixup and
 * cutmix. 16-bit gray is clipped as Pillow does; that its high byte can be had is checked against the file's own values.
 */
export const runImages: CaseRunner = async (folder, meta) => {
  const tensors = readTensors(join(folder, "tensors.safetensors"));
  const images = new Map<string, RgbImage>();
  for (const name of Object.keys(meta.images)) {
    const image = await decodeImage(join(folder, name), { exif: "ignore" });
    images.set(name, image);
  }
  const checks: Check[] = [];
  for (const name of images.keys()) {
    const high = await readHighBytes(join(folder, name));
    if (!high) continue;
    const ours = await decodeImage(join(folder, name), { exif: "ignore", gray16: "high-byte" });
    checks.push({ name: `${name} by its high byte`, error: maxAbsError(ours.data, high), tolerance: 0 });
  }
  return [
    ...checks,
    ...[...images].flatMap(([name, image]) => decodeChecks(name, image, tensors, meta)),
    ...transformChecks(images, tensors, meta),
    ...cropChecks(images, tensors, meta),
    ...cropParameterChecks(meta),
    ...augmentChecks(images, tensors, meta),
    ...erasingChecks(meta),
    ...mixChecks(tensors, meta),
  ];
};

function pixels(tensors: Tensors, name: string): GoldenTensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`the images case has no tensor ${name}`);
  return tensor;
}

/** The high bytes of a 16-bit gray file as RGB; undefined for other files. */
async function readHighBytes(path: string): Promise<Uint8Array | undefined> {
  const { space, hasAlpha } = await sharp(path).metadata();
  if (space !== "grey16" || hasAlpha) return undefined;
  const raw = await sharp(path).toColorspace("grey16").raw({ depth: "ushort" }).toBuffer();
  return Uint8Array.from(
    { length: (3 * raw.length) / 2 },
    (_, i) => raw.readUInt16LE(2 * Math.floor(i / 3)) >> 8,
  );
}

function decodeChecks(name: string, image: RgbImage, tensors: Tensors, meta: CaseFile): Check[] {
  const expected = pixels(tensors, `decoded_${name}`);
  const tolerance = name.endsWith(".png") ? 0 : meta.recommended_tolerance.jpeg_decode_abs;
  return [
    {
      name: `${name} size`,
      error: maxAbsError([image.height, image.width, 3], expected.shape),
      tolerance: 0,
    },
    { name: `${name} decoded`, error: maxAbsError(image.data, expected.data), tolerance },
  ];
}

function transformChecks(images: Map<string, RgbImage>, tensors: Tensors, meta: CaseFile): Check[] {
  const checks: Check[] = [];
  for (const [name, expected] of tensors) {
    const [, kind, file] = /^(eval|normalized|resized_only_)(?:\d*_?)(.*)$/.exec(name) ?? [];
    const image = images.get(file);
    if (!image) continue;
    checks.push(transformCheck(name, kind, image, expected, meta));
  }
  return checks;
}

/** JPEG inputs are given the slack of the decoder on top; PNG inputs must come out exactly. */
function transformCheck(
  name: string,
  kind: string,
  image: RgbImage,
  expected: GoldenTensor,
  meta: CaseFile,
): Check {
  const slack = name.endsWith(".jpg") ? meta.recommended_tolerance.jpeg_decode_abs : 0;
  if (kind === "resized_only_") {
    const [height, width] = expected.shape;
    const size = shorterSideSize(image.width, image.height, Math.min(height, width));
    return {
      name,
      error: maxAbsError(resize(image, size.width, size.height).data, expected.data),
      tolerance: slack,
    };
  }
  const transform = transforms.evaluation(expected.shape[1]);
  const cropped = transform.pixels(image);
  if (kind === "eval") return { name, error: maxAbsError(cropped.data, expected.data), tolerance: slack };
  const tolerance = meta.recommended_tolerance.normalized_abs;
  return { name, error: maxAbsError(normalize(cropped), expected.data), tolerance };
}

function cropChecks(images: Map<string, RgbImage>, tensors: Tensors, meta: CaseFile): Check[] {
  // biome-ignore lint/suspicious/noExplicitAny: rows of a JSON file
  return meta.random_resized_crop.map((row: any) => {
    const [height, width] = row.output;
    const crop = resize(cropBox(images.get(row.image)!, row), width, height);
    const result = row.flip ? flipHorizontally(crop) : crop;
    return {
      name: row.tensor,
      error: maxAbsError(result.data, pixels(tensors, row.tensor).data),
      tolerance: 0,
    };
  });
}

function cropParameterChecks(meta: CaseFile): Check[] {
  // biome-ignore lint/suspicious/noExplicitAny: rows of a JSON file
  return meta.random_resized_crop_params.map((row: any) => {
    const { box } = row;
    const drawn = randomCropBox(row.width, row.height, boxDraws(row));
    const actual = [drawn.top, drawn.left, drawn.height, drawn.width];
    const error = maxAbsError(actual, [box.top, box.left, box.height, box.width]);
    return { name: `crop box ${row.kind} ${row.width} x ${row.height}`, error, tolerance: 0 };
  });
}

function mixChecks(tensors: Tensors, meta: CaseFile): Check[] {
  const images = pixels(tensors, "mix_input").data as Float32Array;
  const [, , height, width] = pixels(tensors, "mix_input").shape;
  const labels = pixels(tensors, "mix_labels").data;
  const { mixup, cutmix, recommended_tolerance: tolerance } = meta;
  const common = { images, labels, height, width };
  const mixed = mixBatch({
    ...common,
    classes: mixup.classes,
    smoothing: mixup.smoothing,
    lambda: mixup.lam,
  });
  const center: [number, number] = [cutmix.center_y, cutmix.center_x];
  const cut = mixBatch({
    ...common,
    classes: cutmix.classes,
    smoothing: cutmix.smoothing,
    lambda: cutmix.lam,
    center,
  });
  const against = (name: string, actual: Float32Array, bound: number): Check => ({
    name,
    error: maxAbsError(actual, pixels(tensors, name).data),
    tolerance: bound,
  });
  return [
    against("mixup_output", mixed.images, tolerance.targets_abs),
    against("mix_targets", mixed.targets, tolerance.targets_abs),
    against("cutmix_output", cut.images, 0),
    against("cutmix_targets", cut.targets, tolerance.targets_abs),
    {
      name: "cutmix lambda",
      error: Math.abs(cut.lambda - cutmix.lam_corrected),
      tolerance: tolerance.lam_abs,
    },
    ...cutBoxChecks(meta),
  ];
}

function cutBoxChecks(meta: CaseFile): Check[] {
  // biome-ignore lint/suspicious/noExplicitAny: rows of a JSON file
  return meta.cutmix_boxes.flatMap((row: any) => {
    const box = cutBox(row.height, row.width, row.lam, [row.center_y, row.center_x]);
    const name = `cut box ${row.height} x ${row.width}, lambda ${row.lam}`;
    const expected = [row.box.y0, row.box.y1, row.box.x0, row.box.x1];
    return [
      { name, error: maxAbsError([box.y0, box.y1, box.x0, box.x1], expected), tolerance: 0 },
      {
        name: `${name}, share kept`,
        error: Math.abs(box.lambda - row.lam_corrected),
        tolerance: meta.recommended_tolerance.lam_abs,
      },
    ];
  });
}
