import type { Polygon } from "../../core/masks";
import { type Boxes, boxAt, countOf, joinBoxes, takeBoxes } from "./boxes";
import { type DeltaWeights, encodeBoxes } from "./codec";
import { maskTarget } from "./masks";
import { type MatchSettings, matchBoxes, OBJECT } from "./matching";
import { type LevelMap, type LevelSettings, levelsOf, roiWeights } from "./roiWeights";
import { type Permute, type SampleSettings, type Samples, sampleBoxes } from "./sampling";

/** The objects of one image. */
export interface ImageObjects {
  readonly boxes: Boxes;
  /** Labels. */
  readonly classes: ArrayLike<number>;
  /** Outlines, for masks. */
  readonly polygons?: readonly (readonly Polygon[])[];
}

/** Numbers that a graph is fed. */
export interface Feed {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

const floats = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });
const wholes = (...shape: number[]) => ({ shape, data: new Int32Array(shape.reduce((a, b) => a * b, 1)) });

/** Drawn anchors, and the object of each. */
export interface RegionSamples extends Samples {
  readonly matched: Int32Array;
}

/** Objects and background that a region proposal network learns from in one image. */
export function drawRegions(
  objects: ImageObjects,
  anchors: Boxes,
  settings: MatchSettings & SampleSettings,
  permute: Permute,
): RegionSamples {
  const { matched, labels } = matchBoxes(objects.boxes, anchors, settings);
  return { ...sampleBoxes(labels, settings, permute), matched };
}

export type RegionFeeds = Record<
  "places" | "labels" | "weights" | "boxPlaces" | "boxTargets" | "boxWeights",
  Feed
>;

/** How many of an image are drawn at most, all and objects. */
export const mostObjects = ({ perImage, objectShare }: SampleSettings) => Math.floor(perImage * objectShare);

/** What the outputs [B, A] at the anchors drawn in each image are to be. Every sum is divided by B * perImage. */
export function regionFeeds(
  drawn: readonly RegionSamples[],
  objects: readonly ImageObjects[],
  anchors: Boxes,
  settings: SampleSettings & { weights: DeltaWeights },
): RegionFeeds {
  const batch = drawn.length;
  const [all, most] = [settings.perImage, mostObjects(settings)];
  const [places, labels, weights] = [wholes(batch * all), floats(batch * all), floats(batch * all)];
  const [boxPlaces, boxWeights] = [wholes(batch * most), floats(batch * most)];
  const boxTargets = floats(batch * most, 4);
  const weight = 1 / (batch * all);
  drawn.forEach(({ objects: positive, background, matched }, image) => {
    const first = image * countOf(anchors);
    [...positive, ...background].forEach((anchor, i) => {
      const at = image * all + i;
      places.data[at] = first + anchor;
      labels.data[at] = i < positive.length ? 1 : 0;
      weights.data[at] = weight;
    });
    const to = takeBoxes(
      objects[image].boxes,
      positive.map((anchor) => matched[anchor]),
    );
    boxTargets.data.set(encodeBoxes(takeBoxes(anchors, positive), to, settings.weights), 4 * image * most);
    positive.forEach((anchor, i) => {
      boxPlaces.data[image * most + i] = first + anchor;
      boxWeights.data[image * most + i] = weight;
    });
  });
  return { places, labels, weights, boxPlaces, boxTargets, boxWeights };
}

/** Boxes that the second stage learns from in one image: those with an object first. */
export interface RoiSamples {
  readonly boxes: Boxes;
  /** How many of them have an object. */
  readonly objects: number;
  /** The object of each, and its label; `classes` is how many there are for background. */
  readonly matched: Int32Array;
  readonly labels: Int32Array;
}

/** Proposals and, behind them, the objects themselves; then objects and background are drawn. */
export function drawRois(
  objects: ImageObjects,
  proposals: Boxes,
  classes: number,
  settings: MatchSettings & SampleSettings,
  permute: Permute,
): RoiSamples {
  const boxes = joinBoxes(proposals, objects.boxes);
  const { matched, labels } = matchBoxes(objects.boxes, boxes, settings);
  const { objects: positive, background } = sampleBoxes(labels, settings, permute);
  const drawn = Int32Array.from([...positive, ...background]);
  return {
    boxes: takeBoxes(boxes, drawn),
    objects: positive.length,
    matched: drawn.map((i) => matched[i]),
    labels: drawn.map((i) => (labels[i] === OBJECT ? objects.classes[matched[i]] : classes)),
  };
}

export type RoiFeeds = Record<"classes" | "boxPlaces" | "boxTargets" | "boxWeights", Feed>;

export interface RoiTargetSettings extends SampleSettings {
  classes: number;
  weights: DeltaWeights;
  /** Whether every image counts the same, or every sample of the batch. */
  normalize: "image" | "batch";
}

/** The weight of one sample of each image. */
function sampleWeights(counts: readonly number[], normalize: "image" | "batch"): number[] {
  const all = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) =>
    count === 0 ? 0 : normalize === "batch" ? 1 / all : 1 / (counts.length * count),
  );
}

/** What the box head is to say of the samples. Rows of an image begin at image * perImage. */
export function roiFeeds(
  drawn: readonly RoiSamples[],
  objects: readonly ImageObjects[],
  settings: RoiTargetSettings,
): RoiFeeds {
  const { perImage, classes: labels } = settings;
  const most = mostObjects(settings);
  const classes = floats(drawn.length * perImage, labels + 1);
  const [boxPlaces, boxWeights] = [wholes(drawn.length * most), floats(drawn.length * most)];
  const boxTargets = floats(drawn.length * most, 4);
  const weights = sampleWeights(
    drawn.map((one) => countOf(one.boxes)),
    settings.normalize,
  );
  drawn.forEach((samples, image) => {
    samples.labels.forEach((label, i) => {
      classes.data[(image * perImage + i) * (labels + 1) + label] = weights[image];
    });
    const from = samples.boxes.subarray(0, 4 * samples.objects);
    const to = takeBoxes(objects[image].boxes, samples.matched.subarray(0, samples.objects));
    boxTargets.data.set(encodeBoxes(from, to, settings.weights), 4 * image * most);
    for (let i = 0; i < samples.objects; i++) {
      boxPlaces.data[image * most + i] = (image * perImage + i) * labels + samples.labels[i];
      boxWeights.data[image * most + i] = weights[image];
    }
  });
  return { classes, boxPlaces, boxTargets, boxWeights };
}

export type MaskFeeds = Record<"classes" | "targets" | "weights", Feed>;

/** What the mask head is to draw of the samples with an object. Rows of an image begin at image * most. */
export function maskFeeds(
  drawn: readonly RoiSamples[],
  objects: readonly ImageObjects[],
  side: number,
  settings: RoiTargetSettings,
): MaskFeeds {
  const most = mostObjects(settings);
  const [classes, weights] = [wholes(drawn.length * most), floats(drawn.length * most)];
  const targets = floats(drawn.length * most, side, side);
  const perMask = sampleWeights(
    drawn.map((one) => one.objects),
    settings.normalize,
  );
  drawn.forEach((samples, image) => {
    for (let i = 0; i < samples.objects; i++) {
      const at = image * most + i;
      const polygons = objects[image].polygons?.[samples.matched[i]] ?? [];
      if (polygons.length > 0)
        targets.data.set(maskTarget(polygons, boxAt(samples.boxes, i), side), at * side * side);
      classes.data[at] = samples.labels[i];
      weights.data[at] = perMask[image] / (side * side);
    }
  });
  return { classes, targets, weights };
}

/** Rows of ROIAlign for boxes of several images, "y2", "x2", "y3", …: [B, R, bins, size of the level's map]. */
export function roiRowFeeds(
  boxes: readonly Boxes[],
  maps: readonly LevelMap[],
  settings: LevelSettings & { bins: number; capacity: number },
): Record<string, Feed> {
  const { bins, capacity } = settings;
  const feeds: Record<string, Feed> = {};
  for (const { level, height, width } of maps) {
    feeds[`y${level}`] = floats(boxes.length, capacity, bins, height);
    feeds[`x${level}`] = floats(boxes.length, capacity, bins, width);
  }
  boxes.forEach((own, image) => {
    const levels = levelsOf(own, settings);
    roiWeights(own, levels, maps, bins, capacity).forEach(({ y, x }, i) => {
      feeds[`y${maps[i].level}`].data.set(y, image * y.length);
      feeds[`x${maps[i].level}`].data.set(x, image * x.length);
    });
  });
  return feeds;
}
