import { checkOptions, shaped } from "../../core/options";
import { Rng } from "../../core/rng";
import { type Tensor, tf } from "../../core/tf";
import { type Context, inference } from "../../nn/context";
import { Module } from "../../nn/module";
import type { DetectorConfig } from "../config";
import type { FusionPath, FusionPlan } from "../fusion";
import { SavableModel } from "../savable";
import { SimpleFeaturePyramid } from "./pyramid";
import type { RoiRows } from "./roiAlign";
import { type BoxOutputs, type BoxTargets, boxLosses, maskLoss, RoiHeads } from "./roiHeads";
import { poolRois } from "./rois";
import { ProposalGenerator, type RegionOutputs, type RegionTargets, regionLosses } from "./rpn";
import { type DetectorSettings, roiMaps } from "./settings";
import { WindowedViT } from "./vitDet";

/** The encoder and the pyramid on it. Keys `net.*`, `simfp_*`. */
export class Backbone extends Module {
  readonly net: WindowedViT;
  readonly pyramid: SimpleFeaturePyramid;

  constructor(
    { encoder, pyramid, normEps }: DetectorSettings,
    fusion: FusionPath | FusionPlan | undefined,
    seed: number,
  ) {
    super();
    this.net = new WindowedViT(encoder, fusion, seed);
    const sizes = { inputs: encoder.dim, outputs: pyramid, normEps };
    this.pyramid = new SimpleFeaturePyramid(sizes, new Rng(seed).fork("pyramid"));
  }

  protected override transparentFields(): readonly string[] {
    return ["pyramid"];
  }

  /** images [B, 3, H, W] -> p2 … p6, channels last. */
  forward(images: Tensor, context: Context = inference): Tensor[] {
    return this.pyramid.forward(this.net.forward(images, context), context);
  }
}

const settingsField = shaped<DetectorSettings>(
  "settings of a detector { encoder, classes, regions, rois, … }",
  ...["encoder", "classes", "regions", "rois"],
);

/** Names of the losses, in the order in which they are added up. */
export const LOSSES = ["loss_rpn_cls", "loss_rpn_loc", "loss_cls", "loss_box_reg", "loss_mask"] as const;

export type DetectorLoss = (typeof LOSSES)[number];

type Given = Readonly<Record<string, Tensor>>;

/** Entries whose names begin with `prefix`, without it. */
function under(given: Given, prefix: string): Given {
  const entries = Object.entries(given).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(entries.map(([name, value]) => [name.slice(prefix.length), value]));
}

/**
 * Mask R-CNN on a plain ViT: encoder, pyramid, proposals, box and mask heads. Keys `backbone.net.*`, `backbone.simfp_*`,
 * `proposal_generator.rpn_head.*`, `roi_heads.*`, as detectron2 has them. What it says of boxes needs numbers on the host
 * in between: see `detection` for them, `train.detect` and `findObjects` for the whole.
 * Reference: detectron2 projects/ViTDet; Li et al. 2022; LUViT appendix D.4.
 */
export class Detector extends SavableModel {
  readonly backbone: Backbone;
  readonly proposal_generator: ProposalGenerator;
  readonly roi_heads: RoiHeads;
  readonly settings: Readonly<DetectorSettings>;
  /** In label order, where they are known. */
  classNames: readonly string[] | undefined;

  constructor(
    settings: DetectorSettings,
    options: { fusion?: FusionPath | FusionPlan; seed?: number; classNames?: readonly string[] } = {},
  ) {
    super();
    checkOptions("Detector", settingsField, settings);
    const { fusion, seed = 0, classNames } = options;
    const { rois, regions, classes, masks, pyramid, normEps } = settings;
    const rng = new Rng(seed).fork("detector");
    this.settings = settings;
    this.backbone = new Backbone(settings, fusion, seed);
    const anchors = regions.sizes[0].length * regions.ratios.length;
    this.proposal_generator = new ProposalGenerator(pyramid, anchors, rng);
    const { convolutions, channels, hidden, boxBins } = rois;
    const heads = { inputs: pyramid, classes, convolutions, channels, hidden, boxBins, normEps, masks };
    this.roi_heads = new RoiHeads(heads, rng);
    this.classNames = classNames && [...classNames];
  }

  get classes(): number {
    return this.settings.classes;
  }

  override describe(): DetectorConfig {
    const { net } = this.backbone;
    const { settings, classNames } = this;
    return {
      modelType: "luvit-detector",
      settings: JSON.parse(JSON.stringify(settings)),
      fusion: net.fusion?.describe(settings.encoder.depth) ?? null,
      classNames: classNames ? [...classNames] : null,
      ...this.describeCommon(),
    };
  }

  /** images [B, 3, S, S] -> p2 … p6 [B, H, W, C]. */
  maps(images: Tensor, context: Context = inference): Tensor[] {
    return this.backbone.forward(images, context);
  }

  /** p2 … p6 -> logits [B, A] and deltas [B, A, 4] of all anchors. */
  regions(maps: readonly Tensor[]): RegionOutputs {
    return this.proposal_generator.rpn_head.forward(maps);
  }

  /** What boxes are: rows "y2", "x2", … [B, R, …] -> logits [B R, K + 1] and deltas [B R, 4 K]. */
  boxes(maps: readonly Tensor[], rows: Given): BoxOutputs {
    return this.roi_heads.boxes(poolRois(maps.slice(0, -1), this.rowsOf(rows)));
  }

  /** Logits of the masks of boxes, each of its class: rows [B, R, …], `classes` int32 [B R] -> [B R, 28, 28]. */
  masks(maps: readonly Tensor[], rows: Given): Tensor {
    return this.roi_heads.mask_head!.forward(poolRois(maps.slice(0, -1), this.rowsOf(rows)), rows.classes);
  }

  /** The losses of a batch that is fed as `detectorFeeds` makes it. */
  losses(given: Given): Partial<Record<DetectorLoss, Tensor>> {
    const maps = this.maps(given.images, { dropPath: given.dropPath });
    const [rois, masks] = [under(given, "rois."), under(given, "masks.")];
    const regions = regionLosses(this.regions(maps), under(given, "regions.") as unknown as RegionTargets);
    const boxes = boxLosses(this.boxes(maps, rois), rois as unknown as BoxTargets);
    if (!this.roi_heads.mask_head) return { ...regions, ...boxes };
    return {
      ...regions,
      ...boxes,
      loss_mask: maskLoss(this.masks(maps, masks), masks.targets, masks.weights),
    };
  }

  /** Their sum. */
  loss(given: Given): Tensor {
    const losses = this.losses(given);
    return tf.addN(LOSSES.flatMap((name) => losses[name] ?? []));
  }

  private rowsOf(rows: Given): RoiRows[] {
    return roiMaps(this.settings).map(({ level }) => ({ y: rows[`y${level}`], x: rows[`x${level}`] }));
  }
}
