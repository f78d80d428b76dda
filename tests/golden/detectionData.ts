import { readFileSync } from "node:fs";
import { join } from "node:path";
import { maskArea, maskIou, type Rle, rasterizePolygons, rleFromText } from "../../src/core/masks";
import { Rng } from "../../src/core/rng";
import { CocoAnnotations, cocoCategories } from "../../src/data/coco";
import { withObjects } from "../../src/data/coco/dataset";
import {
  fitGeometry,
  type Geometry,
  jitterGeometry,
  type PlacedObjects,
  placeObjects,
} from "../../src/data/detection";
import { squareSteps } from "../../src/data/detection/steps";
import { applySteps, PixelMemory, type RgbImage, resizedPart } from "../../src/data/pixels";
import { flipHorizontally } from "../../src/data/pixels/geometry";
import { placePixels } from "../../src/data/pixels/kernels/resamplePixels";
import { stepRate } from "../../src/optim/schedule";
import { type CaseFile, type CaseRunner, type Check, maxAbsError, relativeToTensorMax } from "./harness";
import { type GoldenTensors, load } from "./support";

/** The `detection_data` case: large-scale jitter for given draws, sizes, crops, padding, classes. */
export const runDetectionData: CaseRunner = async (folder, meta) => {
  const json = <T>(name: string) => JSON.parse(readFileSync(join(folder, name), "utf8")) as T;
  const pictures = load(folder, "io.safetensors");
  const annotations = json<AnnotatedPicture[]>("annotations.json");
  const jitter = load(folder, "lsj.safetensors");
  return [
    ...tableChecks(meta),
    ...filterChecks(meta),
    ...scheduleChecks(meta),
    ...testChecks(load(folder, "test.safetensors"), meta),
    ...json<JitterRow[]>("lsj.json").flatMap((row) => {
      const image = pictureOf(pictures, `picture_${row.picture}`);
      const { annotations: objects } = annotations.find(({ picture }) => picture === row.picture)!;
      return jitterChecks(row, image, objects, jitter, meta);
    }),
  ];
};

interface AnnotatedPicture {
  picture: number;
  annotations: {
    iscrowd: number;
    bbox: [number, number, number, number];
    category_id: number;
    segmentation: number[][];
  }[];
}

interface JitterRow {
  draw: number;
  picture: number;
  flip_draw: number;
  flipped: boolean;
  scale: number;
  crop_draw: number;
  resized_hw: [number, number];
  crop_x0_y0_w_h: [number, number, number, number];
  result_hw: [number, number];
  kept_classes: number[];
  polygons: number[][][];
  rle: { size: [number, number]; counts: string }[];
  area: number[];
}

const exact = (name: string, actual: ArrayLike<number>, expected: ArrayLike<number>): Check => ({
  name,
  error: maxAbsError(actual, expected),
  tolerance: 0,
});

const sizeOf = ([height, width]: readonly [number, number]) => ({ width, height });
const hw = ({ width, height }: { width: number; height: number }) => [height, width];

function pictureOf(tensors: GoldenTensors, name: string): RgbImage {
  const { data, shape } = tensors.get(name)!;
  return { data: data as unknown as Uint8Array, width: shape[1], height: shape[0] };
}

function tableChecks(meta: CaseFile): Check[] {
  const size = meta.config.official_image_size;
  const draws = (change: object) => ({ flip: 1, scale: 1, crop: 0, ...change });
  // biome-ignore lint/suspicious/noExplicitAny: rows of a JSON file
  const rows = (name: string) => meta[name] as any[];
  return [
    ...rows("test_size_table").map(({ input_hw, output_hw }) =>
      exact(`evaluation's size of ${input_hw}`, hw(fitGeometry(sizeOf(input_hw), size).resized), output_hw),
    ),
    ...rows("lsj_size_table").map(({ input_hw, scale, output_hw }) => {
      const { resized } = jitterGeometry(sizeOf(input_hw), size, draws({ scale }));
      return exact(`size of ${input_hw} at ${scale}`, hw(resized), output_hw);
    }),
    ...rows("crop_table").map(({ input_hw, draw, x0, y0 }) => {
      const scale = Math.max(...input_hw) / size;
      const { left, top } = jitterGeometry(sizeOf(input_hw), size, draws({ scale, crop: draw }));
      return exact(`crop of ${input_hw} at ${draw}`, [left, top], [x0, y0]);
    }),
    exact(
      "ids of the classes",
      cocoCategories.map(({ id }) => id),
      meta.coco_category_ids,
    ),
  ];
}

/** Which images are trained with. */
function filterChecks({ image_filter: { input, kept } }: CaseFile): Check[] {
  const size = { width: 10, height: 10 };
  // biome-ignore lint/suspicious/noExplicitAny: rows of a JSON file
  const images = input.map(({ image_id: id }: any) => ({ id, fileName: `${id}`, ...size }));
  // biome-ignore lint/suspicious/noExplicitAny: rows of a JSON file
  const objects = input.flatMap(({ image_id: imageId, annotations }: any) =>
    // biome-ignore lint/suspicious/noExplicitAny: rows of a JSON file
    annotations.map(({ iscrowd }: any) => ({
      imageId,
      crowd: iscrowd === 1,
      categoryId: 1,
      box: [0, 0, 1, 1],
      area: 1,
    })),
  );
  // biome-ignore lint/suspicious/noExplicitAny: rows of a JSON file
  const numbered = objects.map((one: any, id: number) => ({ ...one, id }));
  const truth = new CocoAnnotations(images, [{ id: 1, name: "a" }], numbered);
  const found = withObjects(truth, images);
  return [
    exact(
      "images with objects",
      found.map(({ id }) => id),
      kept,
    ),
  ];
}

function scheduleChecks(meta: CaseFile): Check[] {
  return ["lr_schedule", "lr_schedule_small"].map((name) => {
    const { warmup_iters, warmup_factor, milestones, iterations, multiplier } = meta[name];
    const schedule = {
      lr: 1,
      warmupSteps: warmup_iters,
      warmupFactor: warmup_factor,
      milestones,
      factor: 0.1,
    };
    const actual = iterations.map((step: number) => stepRate(schedule, step));
    return {
      name,
      error: maxAbsError(actual, multiplier),
      tolerance: meta.recommended_tolerance.lr_multiplier_abs,
    };
  });
}

function testChecks(golden: GoldenTensors, meta: CaseFile): Check[] {
  // biome-ignore lint/suspicious/noExplicitAny: rows of a JSON file
  return meta.test_resize_examples.flatMap((row: any) => {
    const image = pictureOf(golden, `input_${row.example}`);
    const geometry = fitGeometry(image, row.max_size);
    const name = `evaluation ${row.example}`;
    return [
      exact(`${name} size`, hw(geometry.resized), row.output_hw),
      ...pixelChecks(name, bytesOf(image, geometry), golden.get(`output_${row.example}`)!.data, meta),
    ];
  });
}

/** The image in bytes, as it is before normalization. */
function bytesOf(image: RgbImage, { mirrored, resized, left, top, covered }: Geometry): Uint8Array {
  const source = mirrored ? flipHorizontally(image) : image;
  return PixelMemory.use((memory) => {
    const placed = placePixels(memory, { ...source, offset: 0, line: 3 * source.width });
    const { address } = resizedPart(memory, placed, resized, { left, top, ...covered });
    return memory.bytes(address, 3 * covered.width * covered.height).slice();
  });
}

function pixelChecks(
  name: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  meta: CaseFile,
): Check[] {
  const { recommended_tolerance: tolerance } = meta;
  let different = 0;
  for (let i = 0; i < expected.length; i++) if (actual[i] !== expected[i]) different++;
  const share = different / expected.length;
  return [
    {
      name: `${name} levels`,
      error: maxAbsError(actual, expected),
      tolerance: tolerance.pictures_max_level_difference,
    },
    { name: `${name} share`, error: share, tolerance: tolerance.pictures_max_share_of_differing_values },
  ];
}

function jitterChecks(
  row: JitterRow,
  image: RgbImage,
  annotations: AnnotatedPicture["annotations"],
  golden: GoldenTensors,
  meta: CaseFile,
): Check[] {
  const { image_size: size } = meta.config;
  const geometry = jitterGeometry(image, size, {
    flip: row.flip_draw,
    scale: row.scale,
    crop: row.crop_draw,
  });
  const name = `draw ${row.draw}`;
  const objects = annotations
    .filter(({ iscrowd }) => !iscrowd)
    .map(({ bbox: box, category_id: label, segmentation: polygons }) => ({ box, label, polygons }));
  const [left, top] = row.crop_x0_y0_w_h;
  const input = golden.get(`network_input_${row.draw}`);
  return [
    exact(`${name} mirrored`, [Number(geometry.mirrored)], [Number(row.flipped)]),
    exact(`${name} size`, hw(geometry.resized), row.resized_hw),
    exact(`${name} corner`, [geometry.left, geometry.top], [left, top]),
    exact(`${name} result`, hw(geometry.covered), row.result_hw),
    ...pixelChecks(name, bytesOf(image, geometry), golden.get(`image_${row.draw}`)!.data, meta),
    ...objectChecks(name, row, placeObjects(objects, geometry, size), golden, meta),
    ...(input
      ? inputChecks(
          name,
          applySteps(
            squareSteps(size, () => geometry),
            size,
            image,
            new Rng(0),
          ),
          input.data,
          meta,
        )
      : []),
  ];
}

function objectChecks(
  name: string,
  row: JitterRow,
  { boxes, labels, ...placed }: PlacedObjects,
  golden: GoldenTensors,
  { recommended_tolerance: tolerance }: CaseFile,
): Check[] {
  const expected = golden.get(`boxes_${row.draw}`)!.data;
  const polygons = placed.polygons.map((parts) => parts!);
  const different = (i: number) => {
    const [own, theirs] = [drawn(polygons[i], row), rleFromText(row.rle[i].counts, ...row.rle[i].size)];
    const [overlap] = maskIou([own], [theirs], [0]);
    const both = (overlap * (maskArea(own) + maskArea(theirs))) / (1 + overlap);
    return maskArea(own) + maskArea(theirs) - 2 * both;
  };
  const areas = polygons.map((parts) => parts.reduce((sum, part) => sum + areaOf(part), 0));
  const theirAreas = row.polygons.map((parts) => parts.reduce((sum, part) => sum + areaOf(part), 0));
  return [
    exact(`${name} classes`, labels, row.kept_classes),
    { name: `${name} boxes`, error: maxAbsError(boxes, expected), tolerance: tolerance.boxes_abs },
    {
      name: `${name} boxes, relative`,
      error: relativeToTensorMax(boxes, expected),
      tolerance: tolerance.boxes_rel_to_tensor_max,
    },
    {
      name: `${name} areas of outlines`,
      error: relativeToTensorMax(areas, theirAreas),
      tolerance: tolerance.boxes_rel_to_tensor_max,
    },
    exact(
      `${name} parts`,
      polygons.map((parts) => parts.length),
      row.polygons.map((parts) => parts.length),
    ),
    ...polygons.map((_, i) => ({
      name: `${name} raster ${i}`,
      error: Math.round(different(i)),
      tolerance: tolerance.masks_max_pixels,
    })),
  ];
}

const drawn = (parts: readonly Float64Array[], { result_hw }: JitterRow): Rle =>
  rasterizePolygons(parts, ...result_hw);

/** By the shoelace formula. */
function areaOf(polygon: ArrayLike<number>): number {
  let twice = 0;
  for (let i = 0; i < polygon.length; i += 2) {
    const next = (i + 2) % polygon.length;
    twice += polygon[i] * polygon[next + 1] - polygon[next] * polygon[i + 1];
  }
  return Math.abs(twice) / 2;
}

function inputChecks(
  name: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { recommended_tolerance: tolerance }: CaseFile,
): Check[] {
  return [
    { name: `${name} input`, error: maxAbsError(actual, expected), tolerance: tolerance.values_abs },
    {
      name: `${name} input, relative`,
      error: relativeToTensorMax(actual, expected),
      tolerance: tolerance.values_rel_to_tensor_max,
    },
  ];
}
