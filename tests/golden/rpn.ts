import { Rng } from "../../src/core/rng";
import { type Tensor, tf } from "../../src/core/tf";
import { allAnchors, anchorsOf, anchorsPerPlace, cellAnchors } from "../../src/models/detection/anchors";
import { IGNORED, matchBoxes, OBJECT } from "../../src/models/detection/matching";
import { sampleBoxes } from "../../src/models/detection/sampling";
import {
  type ImageObjects,
  type RegionFeeds,
  type RegionSamples,
  regionFeeds,
} from "../../src/models/detection/targets";
import { ProposalGenerator, type RegionTargets, regionLosses } from "../../src/models/detector/rpn";
import { boundOf, channelsLast, compareResults, renamed } from "./detector";
import { exactly, fedOf, recordedPermutations } from "./detectorTensors";
import { type Execute, withGradients } from "./execute";
import { type CaseFile, type CaseRunner, type Check, maxAbsError } from "./harness";
import { codecChecks, proposalChecks } from "./rpnBoxes";
import { type GoldenTensors, load, stateDict } from "./support";

// biome-ignore lint/suspicious/noExplicitAny: a config differs per case
type Config = any;

export const rpnRunner =
  (execute: Execute): CaseRunner =>
  async (folder, meta) => {
    const { config } = meta;
    const io = load(folder, "io.safetensors");
    const settings = anchorSettings(config);
    const maps = config.levels.map((level: string) => {
      const [, , height, width] = io.get(`feature_${level}`)!.shape;
      return { height, width };
    });
    const anchors = allAnchors(settings, maps);
    const images = config.image_sizes_hw.map((_: unknown, i: number) => objectsOf(io, i)) as ImageObjects[];
    const drawn = images.map((objects, i) => drawAndCheck(io, config, anchors, objects, i));
    const few = images.map((_, i) =>
      samplesOf(io.get(`few_label_${i}`)!.data, io.get(`matched_gt_${i}`)!.data),
    );
    const targetSettings = {
      perImage: config.batch_size_per_image,
      objectShare: config.positive_fraction,
      weights: config.box_weights,
    };
    const feeds = regionFeeds(
      drawn.map(({ samples }) => samples),
      images,
      anchors,
      targetSettings,
    );
    const fewFeeds = regionFeeds(few, images, anchors, targetSettings);
    return [
      exactly("anchors", anchors, io.get("anchors")),
      ...officialAnchors(folder, config),
      ...drawn.flatMap(({ checks }) => checks),
      ...targetChecks(feeds, io, images.length, targetSettings, meta),
      ...(await headChecks(execute, folder, meta, io, feeds, fewFeeds)),
      ...proposalChecks(folder, meta, io, anchorsOf(settings, maps)),
      ...codecChecks(load(folder, "codec.safetensors"), meta),
    ];
  };

const anchorSettings = (config: Config) => ({
  strides: config.strides,
  sizes: config.anchor_sizes,
  ratios: config.aspect_ratios,
  offset: config.offset,
});

/** Sizes are those of 32 pixels at stride 4 and on. */
function officialAnchors(folder: string, config: Config): Check[] {
  const golden = load(folder, "official_defaults.safetensors").get("cell_anchors")!;
  const cells = Array.from({ length: golden.shape[0] }, (_, level) => [
    ...cellAnchors([32 * 2 ** level], config.aspect_ratios),
  ]);
  return [exactly("official anchors", cells.flat(), golden)];
}

function objectsOf(io: GoldenTensors, image: number): ImageObjects {
  const boxes = (io.get(`gt_boxes_${image}`)?.data ?? new Float32Array(0)) as Float32Array;
  return { boxes, classes: new Int32Array(boxes.length / 4) };
}

function drawAndCheck(
  io: GoldenTensors,
  config: Config,
  anchors: Float32Array,
  objects: ImageObjects,
  image: number,
) {
  const settings = {
    thresholds: config.iou_thresholds,
    lowQuality: config.allow_low_quality_matches,
    perImage: config.batch_size_per_image,
    objectShare: config.positive_fraction,
  };
  const { labels, matched, overlaps, bestOfObject } = matchBoxes(objects.boxes, anchors, settings);
  const samples = { ...sampleBoxes(labels, settings, recordedPermutations(io, image)), matched };
  const sampled = new Int32Array(labels.length).fill(IGNORED);
  for (const i of samples.objects) sampled[i] = 1;
  for (const i of samples.background) sampled[i] = 0;
  const named = (name: string) => io.get(`${name}_${image}`);
  const ious = objects.boxes.length > 0;
  const checks = [
    exactly(`labels ${image}`, labels, named("match_label")),
    exactly(`matched ${image}`, matched, named("matched_gt")),
    exactly(`sampled labels ${image}`, sampled, named("sampled_label")),
    exactly(`sampled background ${image}`, samples.background, named("sampled_neg")),
    ...(named("sampled_pos")
      ? [exactly(`sampled objects ${image}`, samples.objects, named("sampled_pos"))]
      : []),
    ...(ious ? [exactly(`overlaps ${image}`, overlaps, named("best_iou"))] : []),
    ...(ious ? [exactly(`best overlaps ${image}`, bestOfObject, named("best_iou_of_gt"))] : []),
  ];
  return { samples, checks };
}

/** Samples whose labels are given. */
function samplesOf(labels: ArrayLike<number>, matched: ArrayLike<number>): RegionSamples {
  const having = (label: number) =>
    Int32Array.from(Array.from(labels).flatMap((one, i) => (one === label ? [i] : [])));
  return { objects: having(OBJECT), background: having(0), matched: Int32Array.from(matched) };
}

function targetChecks(
  { boxTargets }: RegionFeeds,
  io: GoldenTensors,
  images: number,
  settings: { perImage: number; objectShare: number },
  meta: CaseFile,
): Check[] {
  const most = Math.floor(settings.perImage * settings.objectShare);
  return Array.from({ length: images }, (_, i) => {
    const expected = io.get(`target_deltas_${i}`);
    const rows = boxTargets.data.subarray(4 * i * most, 4 * i * most + (expected?.data.length ?? 0));
    return {
      name: `target deltas ${i}`,
      error: maxAbsError(rows, expected?.data ?? []),
      tolerance: boundOf(meta, "values").abs,
    };
  });
}

async function headChecks(
  execute: Execute,
  folder: string,
  meta: CaseFile,
  io: GoldenTensors,
  feeds: RegionFeeds,
  few: RegionFeeds,
): Promise<Check[]> {
  const { config } = meta;
  const model = new ProposalGenerator(config.channels, anchorsPerPlace(anchorSettings(config)), new Rng(0));
  model.loadStateDict(stateDict(load(folder, "state.safetensors")));
  const names: string[] = config.levels.map((level: string) => `feature_${level}`);
  const prefixed = (prefix: string, all: RegionFeeds) =>
    Object.fromEntries(Object.entries(fedOf(all)).map(([name, feed]) => [`${prefix}_${name}`, feed]));
  const targetsOf = (given: Readonly<Record<string, Tensor>>, prefix: string) =>
    Object.fromEntries(
      Object.keys(feeds).map((name) => [name, given[`${prefix}_${name}`]]),
    ) as unknown as RegionTargets;
  const results = await execute({
    name: "rpn",
    model,
    inputs: {
      ...Object.fromEntries(names.map((name) => [name, io.get(name)!])),
      ...prefixed("target", feeds),
      ...prefixed("few", few),
    },
    body: (given) => {
      const forward = (maps: Readonly<Record<string, Tensor>>) =>
        model.rpn_head.forward(names.map((name) => channelsLast(maps[name])));
      const outputs = forward(given);
      const lossesOf = (from: typeof outputs, prefix: string) => {
        const { loss_rpn_cls, loss_rpn_loc } = regionLosses(from, targetsOf(given, prefix));
        return tf.stack([loss_rpn_cls, loss_rpn_loc]);
      };
      const ofOutputs = tf.grads((logits: Tensor, deltas: Tensor) =>
        tf.sum(lossesOf({ logits, deltas }, "target")),
      ) as unknown as (values: Tensor[]) => Tensor[];
      const [ofLogits, ofDeltas] = ofOutputs([outputs.logits, outputs.deltas]);
      return {
        objectness_logits: outputs.logits,
        anchor_deltas: outputs.deltas,
        losses: lossesOf(outputs, "target"),
        few_losses: lossesOf(outputs, "few"),
        "grad.objectness_logits": ofLogits,
        "grad.anchor_deltas": ofDeltas,
        ...withGradients(model, given, names, (maps) => tf.sum(lossesOf(forward(maps), "target"))),
      };
    },
  });
  const values = new Map(
    ["objectness_logits", "anchor_deltas", "losses", "few_losses"].map((name) => [name, io.get(name)!]),
  );
  const gradients = new Map([
    ...renamed(load(folder, "grads.safetensors"), (name) => `grad.${name}`),
    ...["objectness_logits", "anchor_deltas"].map(
      (name) => [`grad.${name}`, io.get(`grad_${name}`)!] as const,
    ),
  ]);
  return [
    ...compareResults("head", results, values, boundOf(meta, "values")),
    ...compareResults("gradients", results, gradients, boundOf(meta, "grads")),
  ];
}
