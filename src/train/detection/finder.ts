import type { Rle } from "../../core/masks";
import { checkOptions } from "../../core/options";
import { type Tensor, tf } from "../../core/tf";
import type { EngineOptions } from "../../engine";
import { engineOptions } from "../../engine/options";
import { type Boxes, boxAt, countOf, type Size } from "../../models/detection/boxes";
import { decodeBoxes } from "../../models/detection/codec";
import { type Detections, findDetections, rescaleBoxes } from "../../models/detection/detections";
import { pasteMask } from "../../models/detection/masks";
import { type HostMap, poolBoxes } from "../../models/detection/pool";
import { levelsOf } from "../../models/detection/roiWeights";
import type { Detector } from "../../models/detector/detector";
import { detectorField } from "../../models/detector/options";
import { roiLevels, roiMaps } from "../../models/detector/settings";
import { detectorAnchors, proposalsOf } from "../../models/detector/stages";
import type { ForwardFunction } from "../forward";
import { type Forwards, openForwards } from "../forwards";

/** An image in the network's square. */
export interface PlacedImage {
  /** Normalized and padded, [3, S, S]. */
  readonly values: Float32Array;
  /** Without the padding. */
  readonly covered: Size;
  /** As it lies on disk. */
  readonly original: Size;
}

/** What was found in an image, in pixels of the image as it lies on disk, best first. */
export interface FoundObjects {
  readonly boxes: Boxes;
  readonly scores: Float32Array;
  readonly labels: Int32Array;
  /** Where the detector draws masks. */
  readonly masks?: readonly Rle[];
}

/**
 * Finds objects: the encoder and the first stage as one graph, proposals and ROIAlign on the host, then a graph for boxes
 * and one for masks.
 */
export class ObjectFinder {
  private readonly anchors;

  /** On programs that are open: those of `finderFunctions`. */
  constructor(
    private readonly model: Detector,
    private readonly programs: Forwards,
  ) {
    checkOptions("ObjectFinder", detectorField, model);
    this.anchors = detectorAnchors(model.settings);
  }

  /**
   * Gets a detector ready on an engine, which has its weights until `dispose`.
   *
   * @throws LuvitError("engine") where the engine asked for cannot be had.
   * @example
   * const model = luvit.detector.create({ ...luvit.detector.toy, classes: 6 });
   * const finder = await luvit.train.ObjectFinder.open(model);
   * const size = { width: 96, height: 96 };
   * const found = await finder.find({ values: new Float32Array(3 * 96 * 96), covered: size, original: size });
   * await finder.dispose();
   */
  static async open(model: Detector, options: EngineOptions = {}): Promise<ObjectFinder> {
    checkOptions("ObjectFinder.open", detectorField, model);
    checkOptions("ObjectFinder.open", engineOptions, options);
    return new ObjectFinder(model, await openForwards(model, finderFunctions(model), options));
  }

  /** What it runs on, for people. */
  get engine(): string {
    return this.programs.engine;
  }

  /** The best objects of one image, most certain first. */
  async find(image: PlacedImage): Promise<FoundObjects> {
    const { settings } = this.model;
    const { imageSize } = settings.encoder;
    const images = { data: image.values, shape: [1, 3, imageSize, imageSize] };
    const { logits, deltas, ...features } = await this.programs.run("look", { images });
    const maps = roiMaps(settings).map((map) => ({ ...map, data: features[`p${map.level}`] }));
    const [proposals] = proposalsOf(settings, this.anchors, { logits, deltas }, [image.covered], false);
    const found = await this.boxesOf(maps, proposals.boxes, image.covered);
    const { boxes, kept } = rescaleBoxes(found.boxes, image.covered, image.original);
    const masks = settings.masks ? await this.masksOf(maps, found) : undefined;
    return {
      boxes,
      scores: Float32Array.from(kept, (i) => found.scores[i]),
      labels: Int32Array.from(kept, (i) => found.classes[i]),
      ...(masks && {
        masks: Array.from(kept, (i, at) => pasteMask(masks[i], boxAt(boxes, at), image.original)),
      }),
    };
  }

  dispose(): Promise<void> {
    return this.programs.dispose();
  }

  private async boxesOf(maps: readonly HostMap[], proposals: Boxes, size: Size): Promise<Detections> {
    const { settings } = this.model;
    const { rois, classes, regions } = settings;
    const count = countOf(proposals);
    const pooled = poolBoxes(
      maps,
      proposals,
      levelsOf(proposals, roiLevels(settings)),
      rois.boxBins,
      regions.proposals.test,
    );
    const shape = [regions.proposals.test, rois.boxBins, rois.boxBins, settings.pyramid];
    const { probabilities, deltas } = await this.programs.run("boxes", { pooled: { data: pooled, shape } });
    const decoded = decodeBoxes(proposals, deltas.subarray(0, 4 * classes * count), rois.weights);
    return findDetections(
      decoded,
      probabilities.subarray(0, (classes + 1) * count),
      classes,
      size,
      rois.detections,
    );
  }

  /** Soft masks of detections, [side, side] each. */
  private async masksOf(maps: readonly HostMap[], found: Detections): Promise<Float32Array[]> {
    const { settings } = this.model;
    const { rois, pyramid } = settings;
    const most = rois.detections.perImage;
    const count = found.scores.length;
    if (count === 0) return [];
    const levels = levelsOf(found.boxes, roiLevels(settings));
    const pooled = poolBoxes(maps, found.boxes, levels, rois.maskBins, most);
    const classes = new Int32Array(most);
    classes.set(found.classes);
    const { masks } = await this.programs.run("masks", {
      pooled: { data: pooled, shape: [most, rois.maskBins, rois.maskBins, pyramid] },
      classes: { data: classes, shape: [most], dtype: "int32" },
    });
    const size = (2 * rois.maskBins) ** 2;
    return Array.from({ length: count }, (_, i) => masks.subarray(i * size, (i + 1) * size));
  }
}

/** Graphs of a detector that finds objects in one image. */
export function finderFunctions(model: Detector): Record<string, ForwardFunction> {
  const { encoder, regions, rois, pyramid } = model.settings;
  const { imageSize } = encoder;
  const look: ForwardFunction = {
    inputs: { images: { shape: [1, 3, imageSize, imageSize] } },
    body: ({ images }) => {
      const maps = model.maps(images);
      const named = roiMaps(model.settings).map(({ level }, i) => [`p${level}`, maps[i]] as const);
      return { ...Object.fromEntries(named), ...model.regions(maps) } as unknown as Record<string, Tensor>;
    },
  };
  const boxes: ForwardFunction = {
    inputs: { pooled: { shape: [regions.proposals.test, rois.boxBins, rois.boxBins, pyramid] } },
    body: ({ pooled }) => {
      const { logits, deltas } = model.roi_heads.boxes(pooled);
      return { probabilities: tf.softmax(logits), deltas };
    },
  };
  const head = model.roi_heads.mask_head;
  if (!head) return { look, boxes };
  const most = rois.detections.perImage;
  const masks: ForwardFunction = {
    inputs: {
      pooled: { shape: [most, rois.maskBins, rois.maskBins, pyramid] },
      classes: { shape: [most], dtype: "int32" },
    },
    body: ({ pooled, classes }) => ({ masks: tf.sigmoid(head.forward(pooled, classes)) }),
  };
  return { look, boxes, masks };
}
