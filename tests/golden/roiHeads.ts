import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeMask, type Rle, rleFromText } from "../../src/core/masks";
import { Rng } from "../../src/core/rng";
import { type Tensor, tf } from "../../src/core/tf";
import { joinBoxes } from "../../src/models/detection/boxes";
import { decodeBoxes } from "../../src/models/detection/codec";
import { findDetections, rescaleBoxes } from "../../src/models/detection/detections";
import { maskTarget, pasteMasks } from "../../src/models/detection/masks";
import { matchBoxes } from "../../src/models/detection/matching";
import { type LevelMap, levelsOf, roiWeights } from "../../src/models/detection/roiWeights";
import {
  drawRois,
  type ImageObjects,
  maskFeeds,
  mostObjects,
  type RoiSamples,
  roiFeeds,
  roiRowFeeds,
} from "../../src/models/detection/targets";
import { type RoiRows, roiAlign } from "../../src/models/detector/roiAlign";
import { type BoxTargets, boxLosses, maskLoss, RoiHeads } from "../../src/models/detector/roiHeads";
import { poolRois } from "../../src/models/detector/rois";
import { boundOf, channelsFirst, channelsLast, compareResults, filtered, renamed } from "./detector";
import { type Execute, type Results, withGradients } from "./execute";
import { type CaseFile, type CaseRunner, type Check, maxAbsError } from "./harness";
import type { GoldenTensor } from "./readTensors";
import { exactly, fedOf, recordedPermutations, rowsOf } from "./rpn";
import { type GoldenTensors, load, stateDict } from "./support";

type Given = Readonly<Record<string, Tensor>>;

const json = <T>(folder: string, name: string) => JSON.parse(readFileSync(join(folder, name), "utf8")) as T;
const floatsOf = (golden: GoldenTensor) => golden.data as Float32Array;
const sizeOf = ([height, width]: number[]) => ({ height, width });

/** Entries whose names begin with `prefix`, without it. */
const under = (given: Given, prefix: string): Given =>
  Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
    ),
  );

const prefixed = <T>(prefix: string, all: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(all).map(([name, value]) => [`${prefix}${name}`, value]));

/** What the whole case is made of. */
class Case {
  readonly io: GoldenTensors;
  readonly maps: LevelMap[];
  readonly levelNames: string[];
  readonly images: ImageObjects[];

  constructor(
    readonly folder: string,
    readonly meta: CaseFile,
  ) {
    const { config } = meta;
    this.io = load(folder, "io.safetensors");
    this.levelNames = [...this.io.keys()].filter((name) => name.startsWith("feature_")).sort();
    this.maps = this.levelNames.map((name, i) => {
      const [, , height, width] = this.io.get(name)!.shape;
      return { level: Number(name.slice("feature_p".length)), stride: config.strides[i], height, width };
    });
    const outlines = json<{ polygons: number[][][] }[]>(folder, "ground_truth.json");
    this.images = outlines.map(({ polygons }, i) => ({
      boxes: (this.io.get(`gt_boxes_${i}`)?.data ?? new Float32Array(0)) as Float32Array,
      classes: (this.io.get(`gt_classes_${i}`)?.data ?? new Int32Array(0)) as Int32Array,
      polygons,
    }));
  }

  get settings() {
    const { config } = this.meta;
    return {
      thresholds: [config.iou_threshold] as [number],
      lowQuality: false,
      perImage: config.batch_size_per_image,
      objectShare: config.positive_fraction,
      classes: config.num_classes,
      weights: config.box_weights,
      normalize: "batch" as const,
    };
  }

  get levels() {
    const { config } = this.meta;
    return {
      canonicalSize: config.canonical_box_size,
      canonicalLevel: config.canonical_level,
      lowest: this.maps[0].level,
      highest: this.maps[this.maps.length - 1].level,
    };
  }

  model(): RoiHeads {
    const { config } = this.meta;
    const model = new RoiHeads(
      {
        inputs: config.channels,
        classes: config.num_classes,
        convolutions: config.box_convs,
        channels: config.conv_dim,
        hidden: config.fc_dim,
        boxBins: config.box_pool,
        normEps: config.norm_eps,
        masks: true,
      },
      new Rng(0),
    );
    model.loadStateDict(stateDict(load(this.folder, "state.safetensors")));
    return model;
  }

  /** Maps of a batch as the model takes them. */
  mapsOf(given: Given): Tensor[] {
    return this.levelNames.map((name) => channelsLast(given[name]));
  }

  rowsOf(given: Given): RoiRows[] {
    return this.maps.map(({ level }) => ({ y: given[`y${level}`], x: given[`x${level}`] }));
  }

  features(): Record<string, GoldenTensor> {
    return Object.fromEntries(this.levelNames.map((name) => [name, this.io.get(name)!]));
  }
}

export const roiHeadsRunner =
  (execute: Execute): CaseRunner =>
  async (folder, meta) => {
    const one = new Case(folder, meta);
    return [
      ...(await trainingChecks(one, execute)),
      ...(await inferenceChecks(one, execute)),
      ...(await alignChecks(one, execute)),
      ...levelChecks(one),
      ...maskTargetChecks(one),
      ...pasteChecks(one),
      ...syntheticChecks(one),
    ];
  };

async function trainingChecks(one: Case, execute: Execute): Promise<Check[]> {
  const { io, images, meta, settings } = one;
  const { config } = meta;
  const train = load(one.folder, "train.safetensors");
  const drawn = images.map((objects, i) => {
    const proposals = floatsOf(io.get(`proposal_boxes_${i}`)!);
    const permute = recordedPermutations(train, i);
    return drawRois(objects, proposals, config.num_classes, settings, permute);
  });
  const most = mostObjects(settings);
  const boxes = drawn.map((samples) => samples.boxes);
  const withObjects = drawn.map((samples) => samples.boxes.subarray(0, 4 * samples.objects));
  const boxRows = roiRowFeeds(boxes, one.maps, {
    ...one.levels,
    bins: config.box_pool,
    capacity: config.batch_size_per_image,
  });
  const maskRows = roiRowFeeds(withObjects, one.maps, {
    ...one.levels,
    bins: config.mask_pool,
    capacity: most,
  });
  const boxTargets = roiFeeds(drawn, images, settings);
  const masks = maskFeeds(drawn, images, config.mask_side, settings);
  const model = one.model();
  const results = await execute({
    name: "roi heads",
    model,
    inputs: {
      ...one.features(),
      ...prefixed("boxes.", fedOf({ ...boxRows, ...boxTargets })),
      ...prefixed("masks.", fedOf({ ...maskRows, ...masks })),
    },
    body: (given) => {
      const [box, mask] = [under(given, "boxes."), under(given, "masks.")];
      const forward = (features: Given) => {
        const maps = one.mapsOf(features);
        const boxPooled = poolRois(maps, one.rowsOf(box));
        const maskPooled = poolRois(maps, one.rowsOf(mask));
        return { boxPooled, maskPooled, ...outputsOf(boxPooled, maskPooled) };
      };
      const outputsOf = (boxPooled: Tensor, maskPooled: Tensor) => {
        const features = model.box_head.forward(boxPooled);
        const outputs = model.box_predictor.forward(features);
        return { features, outputs, maskLogits: model.mask_head!.forward(maskPooled, mask.classes) };
      };
      const lossesOf = ({ outputs, maskLogits }: ReturnType<typeof outputsOf>) => {
        const { loss_cls, loss_box_reg } = boxLosses(outputs, box as unknown as BoxTargets);
        return tf.stack([loss_cls, loss_box_reg, maskLoss(maskLogits, mask.targets, mask.weights)]);
      };
      const made = forward(given);
      const ofOutputs = tf.grads((logits: Tensor, deltas: Tensor) =>
        tf.sum(lossesOf({ ...made, outputs: { logits, deltas } })),
      ) as unknown as (values: Tensor[]) => Tensor[];
      const [ofLogits, ofDeltas] = ofOutputs([made.outputs.logits, made.outputs.deltas]);
      const ofClass = Array.from({ length: config.num_classes }, (_, label) =>
        model.mask_head!.forward(made.maskPooled, tf.onesLike(mask.classes).mul(tf.scalar(label, "int32"))),
      );
      return {
        box_pooled: channelsFirst(made.boxPooled),
        mask_pooled: channelsFirst(made.maskPooled),
        box_features: made.features,
        class_logits: made.outputs.logits,
        box_deltas: made.outputs.deltas,
        mask_logits: tf.stack(ofClass, 1),
        losses: lossesOf(made),
        "grad.class_logits": ofLogits,
        "grad.box_deltas": ofDeltas,
        ...withGradients(model, given, one.levelNames, (features) => tf.sum(lossesOf(forward(features)))),
      };
    },
  });
  const counts = drawn.map(({ objects }) => objects);
  for (const name of ["mask_pooled", "mask_logits"])
    results.set(name, withoutPadding(results.get(name)!, counts, most));
  const values = filtered(train, (name) => results.has(name));
  const gradients = new Map([
    ...renamed(load(one.folder, "grads.safetensors"), (name) => `grad.${name}`),
    ...["class_logits", "box_deltas"].map((name) => [`grad.${name}`, train.get(`grad_${name}`)!] as const),
  ]);
  return [
    ...drawn.flatMap((samples, i) => sampleChecks(one, train, samples, i)),
    exactly("levels", levelsOf(joinBoxes(...boxes), one.levels), train.get("levels")),
    ...targetChecks(one, train, boxTargets.boxTargets.data, masks.targets.data, counts),
    { name: "values compared", error: 7 - values.size, tolerance: 0 },
    ...compareResults("training", results, values, boundOf(meta, "values")),
    ...compareResults("gradients", results, gradients, boundOf(meta, "grads")),
  ];
}

/** Rows of samples alone: every image has `most`, of which the first `counts` are used. */
function withoutPadding(data: ArrayLike<number>, counts: readonly number[], most: number): Float32Array {
  const size = data.length / (counts.length * most);
  return Float32Array.from(
    counts.flatMap((count, image) =>
      Array.prototype.slice.call(data, image * most * size, (image * most + count) * size),
    ),
  );
}

function sampleChecks(one: Case, train: GoldenTensors, samples: RoiSamples, image: number): Check[] {
  const { io, images, settings } = one;
  const boxes = joinBoxes(floatsOf(io.get(`proposal_boxes_${image}`)!), images[image].boxes);
  const { labels, matched } = matchBoxes(images[image].boxes, boxes, settings);
  const named = (name: string) => train.get(`${name}_${image}`);
  const expected = Array.from(named("sampled")!.data).flatMap((i) => [...boxes.subarray(4 * i, 4 * i + 4)]);
  return [
    exactly(`labels ${image}`, labels, named("match_label")),
    exactly(`matched ${image}`, matched, named("matched_gt")),
    exactly(`classes ${image}`, samples.labels, named("sampled_class")),
    { name: `samples ${image}`, error: maxAbsError(samples.boxes, expected), tolerance: 0 },
  ];
}

function targetChecks(
  { meta, settings }: Case,
  train: GoldenTensors,
  deltas: ArrayLike<number>,
  masks: ArrayLike<number>,
  counts: readonly number[],
): Check[] {
  const most = mostObjects(settings);
  const collect = (name: string) => counts.flatMap((_, i) => [...(train.get(`${name}_${i}`)?.data ?? [])]);
  const { abs } = boundOf(meta, "values");
  return [
    {
      name: "target deltas",
      error: maxAbsError(withoutPadding(deltas, counts, most), collect("target_deltas")),
      tolerance: abs,
    },
    {
      name: "target masks",
      error: maxAbsError(withoutPadding(masks, counts, most), collect("target_masks")),
      tolerance: 0,
    },
  ];
}

interface ExpectedDetections {
  output_size_hw: number[];
  scores: number[];
  classes: number[];
  rle: { size: number[]; counts: string }[];
}

async function inferenceChecks(one: Case, execute: Execute): Promise<Check[]> {
  const { meta, io, images } = one;
  const { config } = meta;
  const golden = load(one.folder, "inference.safetensors");
  const proposals = images.map((_, i) => floatsOf(io.get(`proposal_boxes_${i}`)!));
  const capacity = Math.max(...proposals.map((boxes) => boxes.length / 4));
  const model = one.model();
  const boxRows = roiRowFeeds(proposals, one.maps, { ...one.levels, bins: config.box_pool, capacity });
  const box = await execute({
    name: "boxes",
    model,
    inputs: { ...one.features(), ...fedOf(boxRows) },
    body: (given) => {
      const { logits, deltas } = model.boxes(poolRois(one.mapsOf(given), one.rowsOf(given)));
      return { probabilities: tf.softmax(logits), deltas };
    },
  });
  const shaped = (data: ArrayLike<number>) => ({
    shape: [images.length],
    dtype: "F32",
    data: data as Float32Array,
  });
  const found = proposals.map((boxes, i) => {
    const count = boxes.length / 4;
    const rows = (name: string, width: number) =>
      rowsOf(i, shaped(box.get(name)!)).subarray(0, count * width);
    const probabilities = rows("probabilities", config.num_classes + 1);
    const decoded = decodeBoxes(boxes, rows("deltas", 4 * config.num_classes), config.box_weights);
    const size = sizeOf(config.image_sizes_hw[i]);
    return {
      probabilities,
      decoded,
      ...findDetections(decoded, probabilities, config.num_classes, size, detectionSettings(config)),
    };
  });
  const most = Math.max(...found.map(({ scores }) => scores.length), 1);
  const classes = Int32Array.from(
    found.flatMap((one) => Array.from({ length: most }, (_, i) => one.classes[i] ?? 0)),
  );
  const maskRows = roiRowFeeds(
    found.map(({ boxes }) => boxes),
    one.maps,
    { ...one.levels, bins: config.mask_pool, capacity: most },
  );
  const masks = await execute({
    name: "masks",
    model,
    inputs: {
      ...one.features(),
      ...fedOf({ ...maskRows, classes: { shape: [classes.length], data: classes } }),
    },
    body: (given) => {
      const pooled = poolRois(one.mapsOf(given), one.rowsOf(given));
      return { probabilities: tf.sigmoid(model.mask_head!.forward(pooled, given.classes)) };
    },
  });
  const expected = json<ExpectedDetections[]>(one.folder, "detections.json");
  return found.flatMap((detections, i) => {
    const count = detections.scores.length;
    const probabilities = rowsOf(i, shaped(masks.get("probabilities")!)).subarray(
      0,
      count * config.mask_side ** 2,
    );
    const named = (name: string) => golden.get(`${name}_${i}`);
    const [from, to] = [config.image_sizes_hw[i], config.output_sizes_hw[i]].map(sizeOf);
    const output = rescaleBoxes(detections.boxes, from, to);
    const pasted = pasteMasks(
      masksAt(probabilities, output.kept, config.mask_side),
      output.boxes,
      to,
      config.mask_threshold,
    );
    const results: Results = new Map([
      ["probs", detections.probabilities],
      ["scores", detections.scores],
      ["mask_probs", probabilities],
    ]);
    const boxes: Results = new Map([
      ["decoded", detections.decoded],
      ["boxes", detections.boxes],
      ["output_boxes", output.boxes],
    ]);
    const pick = (names: Iterable<string>) => new Map([...names].map((name) => [name, named(name)!]));
    return [
      exactly(`detected classes ${i}`, detections.classes, named("classes")),
      exactly(`detected rows ${i}`, detections.rows, named("kept")),
      ...compareResults(`detections ${i}`, results, pick(results.keys()), boundOf(meta, "values")),
      ...compareResults(`boxes ${i}`, boxes, pick(boxes.keys()), boundOf(meta, "boxes")),
      pixelCheck(
        `masks ${i}`,
        pasted,
        expected[i].rle.map(({ size, counts }) => decodeMask(rleFromText(counts, size[0], size[1]))),
        meta.recommended_tolerance.output_masks_max_pixels,
      ),
      ...(named("output_masks")
        ? [
            pixelCheck(
              `output masks ${i}`,
              pasted,
              masksOf(named("output_masks")!),
              meta.recommended_tolerance.output_masks_max_pixels,
            ),
          ]
        : []),
    ];
  });
}

/** Of masks [n, side, side] those that are kept. */
function masksAt(masks: Float32Array, kept: Int32Array, side: number): Float32Array {
  const size = side * side;
  return Float32Array.from([...kept].flatMap((row) => [...masks.subarray(row * size, (row + 1) * size)]));
}

// biome-ignore lint/suspicious/noExplicitAny: a config differs per case
const detectionSettings = (config: any) => ({
  scoreThreshold: config.test_score_thresh ?? config.score_thresh,
  threshold: config.test_nms_thresh ?? config.nms_thresh,
  perImage: config.test_topk_per_image ?? config.topk,
});

/** Masks [n, H, W] of a golden file, one by one. */
const masksOf = (golden: GoldenTensor) =>
  Array.from({ length: golden.shape[0] }, (_, i) =>
    golden.data.slice(i * golden.shape[1] * golden.shape[2], (i + 1) * golden.shape[1] * golden.shape[2]),
  );

/** The most pixels by which a mask differs. */
function pixelCheck(
  name: string,
  actual: readonly Rle[],
  expected: readonly ArrayLike<number>[],
  tolerance: number,
): Check {
  const wrong = actual.map((rle, i) =>
    decodeMask(rle).reduce((sum, pixel, at) => sum + Math.abs(pixel - expected[i][at]), 0),
  );
  return {
    name,
    error: actual.length === expected.length ? Math.max(0, ...wrong) : Number.POSITIVE_INFINITY,
    tolerance,
  };
}

async function alignChecks(one: Case, execute: Execute): Promise<Check[]> {
  const golden = load(one.folder, "roi_align.safetensors");
  const input = golden.get("input")!;
  const [batch, , height, width] = input.shape;
  const rois = floatsOf(golden.get("rois")!);
  const stride = 4; // the file's spatial scale is 0.25
  const sizes = [...golden.keys()]
    .filter((name) => name.startsWith("output_"))
    .map((name) => Number(name.slice(7)));
  const checks: Check[] = [];
  for (const bins of sizes) {
    const count = rois.length / 5;
    const boxes = Float32Array.from(
      { length: 4 * count },
      (_, i) => rois[5 * Math.floor(i / 4) + 1 + (i % 4)],
    );
    const [rows] = roiWeights(boxes, new Int32Array(count), [{ level: 0, stride, height, width }], bins);
    const inputs = {
      input,
      upstream: golden.get(`upstream_${bins}`)!,
      ...fedOf({
        y: { shape: [count, bins, height], data: rows.y },
        x: { shape: [count, bins, width], data: rows.x },
      }),
    };
    const results = await execute({
      name: `ROIAlign ${bins}`,
      inputs,
      body: ({ input: maps, upstream, y, x }) => {
        const align = (all: Tensor) => {
          const seen = Array.from({ length: batch }, (_, i) => {
            const map = tf.slice(channelsLast(all), [i, 0, 0, 0], [1, height, width, -1]);
            return roiAlign([map], [{ y, x }]);
          });
          return channelsFirst(
            tf.concat(
              Array.from({ length: count }, (_, i) =>
                tf.slice(seen[rois[5 * i]], [i, 0, 0, 0], [1, bins, bins, -1]),
              ),
            ),
          );
        };
        const gradient = tf.grad((all: Tensor) => tf.sum(tf.mul(align(all), upstream)));
        return { output: align(maps), "grad.input": gradient(maps) };
      },
    });
    checks.push(
      ...compareResults(
        `ROIAlign ${bins}`,
        results,
        new Map([["output", golden.get(`output_${bins}`)!]]),
        boundOf(one.meta, "values"),
      ),
      ...compareResults(
        `ROIAlign ${bins} gradient`,
        results,
        new Map([["grad.input", golden.get(`grad_input_${bins}`)!]]),
        boundOf(one.meta, "grads"),
      ),
    );
  }
  return checks;
}

function levelChecks({ folder, meta, levels }: Case): Check[] {
  const golden = load(folder, "levels.safetensors");
  const official = { ...levels, canonicalSize: meta.config.official_canonical_box_size };
  return [
    exactly("official levels", levelsOf(floatsOf(golden.get("boxes")!), official), golden.get("level")),
  ];
}

function maskTargetChecks({ folder }: Case): Check[] {
  const golden = load(folder, "mask_targets.safetensors");
  const boxes = floatsOf(golden.get("boxes")!);
  const side = golden.get("targets")!.shape[1];
  const targets = json<number[][][]>(folder, "mask_targets.json").flatMap((polygons, i) => [
    ...maskTarget(polygons, boxes.subarray(4 * i, 4 * i + 4), side),
  ]);
  return [exactly("mask targets", targets, golden.get("targets"))];
}

function pasteChecks({ folder, meta }: Case): Check[] {
  const golden = load(folder, "paste.safetensors");
  const [, height, width] = golden.get("output")!.shape;
  const masks = floatsOf(golden.get("masks")!);
  const pasted = pasteMasks(
    masks,
    floatsOf(golden.get("boxes")!),
    { height, width },
    meta.config.mask_threshold,
  );
  return [
    pixelCheck(
      "pasted masks",
      pasted,
      masksOf(golden.get("output")!),
      meta.recommended_tolerance.paste_max_pixels,
    ),
  ];
}

function syntheticChecks({ folder, meta }: Case): Check[] {
  const golden = load(folder, "synthetic.safetensors");
  const config = meta.synthetic_inference;
  const [boxes, probs] = ["boxes", "probs"].map((name) => floatsOf(golden.get(name)!));
  const find = (scoreThreshold: number) =>
    findDetections(boxes, probs, config.num_classes, sizeOf(config.image_size_hw), {
      ...detectionSettings(config),
      scoreThreshold,
    });
  const found = find(config.score_thresh);
  return [
    exactly("synthetic rows", found.rows, golden.get("result_rows")),
    exactly("synthetic classes", found.classes, golden.get("result_classes")),
    exactly("synthetic scores", found.scores, golden.get("result_scores")),
    exactly("synthetic boxes", found.boxes, golden.get("result_boxes")),
    { name: "no result", error: find(config.score_thresh_without_any_result).scores.length, tolerance: 0 },
  ];
}
