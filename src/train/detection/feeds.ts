import type { Rng } from "../../core/rng";
import type { DetectionSample } from "../../data/coco";
import type { Batch } from "../../data/loader";
import type { Boxes } from "../../models/detection/boxes";
import { randomPermutations } from "../../models/detection/sampling";
import type { ImageObjects } from "../../models/detection/targets";
import type { Detector } from "../../models/detector/detector";
import {
  type Anchors,
  detectorAnchors,
  type FeedsByName,
  firstStage,
  proposalsOf,
  secondStage,
} from "../../models/detector/stages";
import { drawDropPath } from "../dropPath";
import type { Feeds } from "../feeds";
import { imageFeed } from "../feeds";
import type { ForwardFunction } from "../forward";

/** The function that proposes boxes for a batch that is trained with. */
export const PROPOSALS = "proposals";

type Sample = Omit<DetectionSample, "image">;

/**
 * What a step of a detector is fed. Its second stage needs boxes that the first proposes, so the feeds are made in two
 * parts: before, with nothing proposed, and again when the proposals are there.
 */
export class DetectorFeeds {
  private readonly anchors: Anchors;

  constructor(
    private readonly model: Detector,
    private readonly settings: { dropPath: number; normalize: "image" | "batch" },
  ) {
    this.anchors = detectorAnchors(model.settings);
  }

  /** Everything, of the shapes that a step has; the second stage sees the objects themselves alone. */
  first(batch: Batch, rng: Rng): Feeds {
    const { settings } = this.model;
    const objects = objectsOf(batch);
    const { feeds } = firstStage(settings, this.anchors, objects, permutationsOf(rng.fork("regions")));
    const nothing = objects.map(() => new Float32Array(0));
    return { ...this.network(batch, rng), ...typed(feeds), ...this.second(objects, nothing, rng) };
  }

  /** The same with the boxes that `propose` finds in the batch's images. */
  async refined(feeds: Feeds, batch: Batch, rng: Rng, propose: Propose): Promise<Feeds> {
    const { images, dropPath } = feeds;
    const { logits, deltas } = await propose(PROPOSALS, { images, ...(dropPath && { dropPath }) });
    const sizes = samplesOf(batch).map(({ geometry }) => geometry.covered);
    const proposals = proposalsOf(this.model.settings, this.anchors, { logits, deltas }, sizes, true);
    const second = this.second(
      objectsOf(batch),
      proposals.map(({ boxes }) => boxes),
      rng,
    );
    return { ...feeds, ...second };
  }

  /** Images, and the same branches dropped as in the step, to logits and deltas of all anchors. */
  proposing(batch: number): ForwardFunction {
    const { imageSize, depth } = this.model.settings.encoder;
    const images = { shape: [batch, 3, imageSize, imageSize] };
    const dropPath = { shape: [2 * depth, batch] };
    return {
      inputs: this.settings.dropPath === 0 ? { images } : { images, dropPath },
      body: (given) => {
        const maps = this.model.maps(given.images, { dropPath: given.dropPath });
        return { ...this.model.regions(maps) };
      },
    };
  }

  private network({ images, labels }: Batch, rng: Rng): Feeds {
    const { imageSize, depth } = this.model.settings.encoder;
    const { dropPath } = this.settings;
    const fed = { images: imageFeed(images, imageSize) };
    if (dropPath === 0) return fed;
    const factors = drawDropPath(depth, dropPath, labels.length, rng.fork("drop path"));
    return { ...fed, dropPath: { data: factors, shape: [2 * depth, labels.length] } };
  }

  private second(objects: readonly ImageObjects[], proposals: readonly Boxes[], rng: Rng): Feeds {
    const permute = permutationsOf(rng.fork("rois"));
    const { normalize } = this.settings;
    return typed(secondStage(this.model.settings, objects, proposals, permute, normalize).feeds);
  }
}

/** Runs one of a task's functions. */
export type Propose = (name: string, feeds: Feeds) => Promise<Record<string, Float32Array>>;

const samplesOf = ({ samples }: Batch) => samples as readonly Sample[];

function objectsOf(batch: Batch): ImageObjects[] {
  return samplesOf(batch).map(({ boxes, labels, polygons }) => ({
    boxes,
    classes: labels,
    polygons: polygons.map((outline) => outline ?? []),
  }));
}

const permutationsOf = (rng: Rng) => (image: number) => randomPermutations(rng.fork("image", image));

const typed = (feeds: FeedsByName): Feeds =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { data, shape }]) => [
      name,
      { data, shape, dtype: data instanceof Int32Array ? "int32" : "float32" },
    ]),
  );
