import { maskIds } from "../../src/data/masks";
import { Canvas } from "../../src/data/pixels/augment/canvas";
import { applyColors, type ColorDraws, grayOut } from "../../src/data/pixels/augment/colorJitter";
import { gaussianBlur } from "../../src/data/pixels/augment/gaussianBlur";
import { cropIds, flipHorizontally, flipIds, type IdMap, resizeIds } from "../../src/data/pixels/geometry";
import { PixelMemory } from "../../src/data/pixels/kernels/pixelMemory";
import { placePixels } from "../../src/data/pixels/kernels/resamplePixels";
import { normalize } from "../../src/data/pixels/normalize";
import { type Box, cropBox, resize } from "../../src/data/pixels/resample";
import type { RgbImage } from "../../src/data/pixels/rgbImage";
import { type CaseFile, type CaseRunner, type Check, maxAbsError } from "./harness";
import { type GoldenTensors, load } from "./support";

/** The `seg_augment` case: crops, mirror, jitter of colors, gray, blur and whole pipelines for given draws. */
export const runSegAugment: CaseRunner = async (folder, meta) => {
  const golden = load(folder, "tensors.safetensors");
  const { config } = meta;
  const image = imageOf(golden, "image");
  const mask = maskIds(imageOf(golden, "mask"));
  const check = bytesCheck(golden);
  const single = (name: string, draws: Partial<ColorDraws>) =>
    check(name, edited(image, (canvas) => applyColors(canvas, { jitter: [], gray: false, ...draws })).data);
  return [
    ...config.boxes_top_left_height_width.flatMap((box: number[], i: number) => [
      check(`crop${i}.image`, cropped(image, box, config.size).data),
      idsCheck(
        `crop${i}.mask`,
        croppedIds(mask, box, config.size),
        maskIds(imageOf(golden, `crop${i}.mask`)).ids,
      ),
    ]),
    check("flip.image", flipHorizontally(image).data),
    idsCheck("flip.mask", flipIds(mask), maskIds(imageOf(golden, "flip.mask")).ids),
    ...(["brightness", "contrast", "saturation", "hue"] as const).flatMap((change) =>
      config.factors[change].map((factor: number, i: number) =>
        single(`${change}${i}`, { jitter: [[change, factor]] }),
      ),
    ),
    check("gray", edited(image, grayOut).data),
    ...config.radii.map((radius: number, i: number) =>
      check(`blur${i}`, edited(image, (canvas) => gaussianBlur(canvas, radius)).data),
    ),
    ...config.pipelines.flatMap((pipeline: Pipeline, i: number) =>
      pipelineChecks(pipeline, i, image, mask, golden, meta),
    ),
  ];
};

interface Pipeline {
  box: number[];
  flip: boolean;
  order: ("brightness" | "contrast" | "saturation" | "hue")[];
  factors: Record<string, number>;
  gray: boolean;
  blur_radius: number | null;
}

function pipelineChecks(
  { box, flip, order, factors, gray, blur_radius: blur }: Pipeline,
  i: number,
  image: RgbImage,
  mask: IdMap,
  golden: GoldenTensors,
  { config, recommended_tolerance: tolerance }: CaseFile,
): Check[] {
  const jitter = order.map((change) => [change, factors[change]] as const);
  const draws = { jitter, gray, blur: blur ?? undefined };
  const result = edited(cropped(image, box, config.size), (canvas) => applyColors(canvas, draws), flip);
  const planes = edited(cropped(image, box, config.size), (canvas) => applyColors(canvas, draws), flip, true);
  const ids = croppedIds(mask, box, config.size);
  const expected = golden.get(`pipeline${i}.tensor`)!.data;
  return [
    bytesCheck(golden)(`pipeline${i}.bytes`, result.data),
    {
      name: `pipeline${i}.tensor`,
      error: maxAbsError(normalize(result), expected),
      tolerance: tolerance.tensor_abs,
    },
    {
      name: `pipeline${i} planes`,
      error: maxAbsError(planes.data, expected),
      tolerance: tolerance.tensor_abs,
    },
    idsCheck(`pipeline${i}.ids`, flip ? flipIds(ids) : ids, golden.get(`pipeline${i}.ids`)!.data),
  ];
}

function imageOf(golden: GoldenTensors, name: string): RgbImage {
  const { data, shape } = golden.get(name)!;
  return { data: data as unknown as Uint8Array, width: shape[1], height: shape[0] };
}

const bytesCheck =
  (golden: GoldenTensors) =>
  (name: string, actual: ArrayLike<number>): Check => ({
    name,
    error: maxAbsError(actual, golden.get(name)!.data),
    tolerance: 0,
  });

const idsCheck = (name: string, actual: IdMap, expected: ArrayLike<number>): Check => ({
  name,
  error: maxAbsError(actual.ids, expected),
  tolerance: 0,
});

const boxOf = ([top, left, height, width]: number[]): Box => ({ top, left, height, width });
const cropped = (image: RgbImage, box: number[], size: number) =>
  resize(cropBox(image, boxOf(box)), size, size, { filter: "bilinear" });
const croppedIds = (mask: IdMap, box: number[], size: number) =>
  resizeIds(cropIds(mask, boxOf(box)), size, size);

function edited(image: RgbImage, edit: (canvas: Canvas) => void, mirrored?: boolean): RgbImage;
function edited(
  image: RgbImage,
  edit: (canvas: Canvas) => void,
  mirrored: boolean,
  normalized: true,
): { data: Float32Array };
function edited(image: RgbImage, edit: (canvas: Canvas) => void, mirrored = false, normalized = false) {
  return PixelMemory.use((memory) => {
    const placed = placePixels(memory, { ...image, offset: 0, line: 3 * image.width });
    const canvas = new Canvas(memory, placed, mirrored);
    edit(canvas);
    if (!normalized) return canvas.image();
    return { data: memory.floats(canvas.planes(), image.data.length).slice() };
  });
}
