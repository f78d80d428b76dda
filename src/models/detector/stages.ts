import { allAnchors, anchorsOf } from "../detection/anchors";
import type { Boxes, Size } from "../detection/boxes";
import { findProposals, type Proposals } from "../detection/proposals";
import type { Permute } from "../detection/sampling";
import {
  drawRegions,
  drawRois,
  type Feed,
  type ImageObjects,
  maskFeeds,
  mostObjects,
  type RegionSamples,
  type RoiSamples,
  regionFeeds,
  roiFeeds,
  roiRowFeeds,
} from "../detection/targets";
import { anchorSettings, type DetectorSettings, roiLevels, roiMaps } from "./settings";

/*
 * What a detector needs between its two stages, on the host: targets of the first stage, proposals, targets of the
 * second. Draws come in the order of detectron2: for every image objects, then background.
 */

export type FeedsByName = Record<string, Feed>;

const prefixed = (prefix: string, feeds: FeedsByName): FeedsByName =>
  Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [prefix + name, feed]));

/** Anchors level by level, and all in a row. */
export interface Anchors {
  readonly levels: readonly Boxes[];
  readonly all: Boxes;
}

export function detectorAnchors(settings: DetectorSettings): Anchors {
  const { maps, ...anchors } = anchorSettings(settings);
  return { levels: anchorsOf(anchors, maps), all: allAnchors(anchors, maps) };
}

/** Feeds "regions.*" of images with these objects, with what was drawn. */
export function firstStage(
  settings: DetectorSettings,
  anchors: Anchors,
  images: readonly ImageObjects[],
  permute: (image: number) => Permute,
): { feeds: FeedsByName; drawn: RegionSamples[] } {
  const { regions } = settings;
  const drawn = images.map((objects, i) => drawRegions(objects, anchors.all, regions, permute(i)));
  return { feeds: prefixed("regions.", regionFeeds(drawn, images, anchors.all, regions)), drawn };
}

/** Proposals of every image from logits [B, A] and deltas [B, A, 4]. */
export function proposalsOf(
  settings: DetectorSettings,
  anchors: Anchors,
  outputs: { logits: Float32Array; deltas: Float32Array },
  sizes: readonly Size[],
  training: boolean,
): Proposals[] {
  const { perLevel, proposals, overlap, weights } = settings.regions;
  const mode = training ? "train" : "test";
  const count = anchors.all.length / 4;
  return sizes.map((size, i) =>
    findProposals(
      {
        logits: outputs.logits.subarray(i * count, (i + 1) * count),
        deltas: outputs.deltas.subarray(4 * i * count, 4 * (i + 1) * count),
      },
      anchors.levels,
      size,
      { perLevel: perLevel[mode], perImage: proposals[mode], threshold: overlap, weights },
      training,
    ),
  );
}

/** Feeds "rois.*" and "masks.*" of images with these objects and proposed boxes, with what was drawn. */
export function secondStage(
  settings: DetectorSettings,
  images: readonly ImageObjects[],
  proposals: readonly Boxes[],
  permute: (image: number) => Permute,
  normalize: "image" | "batch" = "batch",
): { feeds: FeedsByName; drawn: RoiSamples[] } {
  const { rois, classes, masks } = settings;
  const drawn = images.map((objects, i) => drawRois(objects, proposals[i], classes, rois, permute(i)));
  const targets = { ...rois, classes, normalize };
  const boxes = drawn.map((samples) => samples.boxes);
  const feeds = {
    ...prefixed("rois.", roiRows(settings, boxes, rois.boxBins, rois.perImage)),
    ...prefixed("rois.", roiFeeds(drawn, images, targets)),
  };
  if (!masks) return { feeds, drawn };
  const withObjects = drawn.map((samples) => samples.boxes.subarray(0, 4 * samples.objects));
  return {
    drawn,
    feeds: {
      ...feeds,
      ...prefixed("masks.", roiRows(settings, withObjects, rois.maskBins, mostObjects(rois))),
      ...prefixed("masks.", maskFeeds(drawn, images, 2 * rois.maskBins, targets)),
    },
  };
}

/** Rows of ROIAlign "y2", "x2", … for boxes of several images. */
export function roiRows(
  settings: DetectorSettings,
  boxes: readonly Boxes[],
  bins: number,
  capacity: number,
): FeedsByName {
  return roiRowFeeds(boxes, roiMaps(settings), { ...roiLevels(settings), bins, capacity });
}
