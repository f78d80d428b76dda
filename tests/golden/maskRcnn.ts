import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeMask, rleFromText } from "../../src/core/masks";
import { type Tensor, tf } from "../../src/core/tf";
import { decodeBoxes } from "../../src/models/detection/codec";
import { findDetections, rescaleBoxes } from "../../src/models/detection/detections";
import { pasteMasks } from "../../src/models/detection/masks";
import type { ImageObjects } from "../../src/models/detection/targets";
import { Detector, LOSSES } from "../../src/models/detector/detector";
import type { DetectorSettings } from "../../src/models/detector/settings";
import {
  detectorAnchors,
  firstStage,
  proposalsOf,
  roiRows,
  secondStage,
} from "../../src/models/detector/stages";
import { adamW } from "../../src/nn/ops";
import { detectorRules } from "../../src/optim/detectorRules";
import { boundOf, channelsFirst, compareResults, renamed } from "./detector";
import { type Execute, type Results, withGradients } from "./execute";
import { type CaseFile, type CaseRunner, type Check, maxAbsError } from "./harness";
import type { GoldenTensor } from "./readTensors";
import { exactly, fedOf, recordedPermutations, rowsOf } from "./rpn";
import { type GoldenTensors, load, stateDict } from "./support";
import { compareGradients, keyThird, windowedConfig } from "./vitDet";

type Given = Readonly<Record<string, Tensor>>;

const json = <T>(folder: string, name: string) => JSON.parse(readFileSync(join(folder, name), "utf8")) as T;
const sizeOf = ([height, width]: number[]) => ({ height, width });

// biome-ignore lint/suspicious/noExplicitAny: a config differs per case
function settingsOf(config: any): DetectorSettings {
  const { rpn, roi_heads: roi } = config;
  return {
    encoder: windowedConfig(config.vit),
    classes: roi.num_classes,
    masks: true,
    pyramid: config.pyramid_channels,
    normEps: config.vit.norm_eps,
    regions: {
      sizes: rpn.anchor_sizes,
      ratios: rpn.aspect_ratios,
      offset: rpn.offset,
      thresholds: rpn.iou_thresholds,
      lowQuality: true,
      perImage: rpn.batch_size_per_image,
      objectShare: rpn.positive_fraction,
      weights: [1, 1, 1, 1],
      perLevel: rpn.pre_nms_topk,
      proposals: rpn.post_nms_topk,
      overlap: rpn.nms_thresh,
    },
    rois: {
      thresholds: [roi.iou_threshold],
      lowQuality: false,
      perImage: roi.batch_size_per_image,
      objectShare: roi.positive_fraction,
      convolutions: roi.box_convs,
      channels: roi.conv_dim,
      hidden: roi.fc_dim,
      boxBins: 7,
      maskBins: 14,
      weights: roi.box_weights,
      canonicalSize: roi.canonical_box_size,
      canonicalLevel: roi.canonical_level,
      detections: {
        scoreThreshold: roi.test_score_thresh,
        threshold: roi.test_nms_thresh,
        perImage: roi.test_topk_per_image,
      },
    },
  };
}

/** What the parts of the check share. */
class Case {
  readonly io: GoldenTensors;
  readonly sampling: GoldenTensors;
  readonly settings: DetectorSettings;
  readonly images: ImageObjects[];
  readonly sizes: { height: number; width: number }[];

  constructor(
    readonly folder: string,
    readonly meta: CaseFile,
    readonly execute: Execute,
  ) {
    this.io = load(folder, "io.safetensors");
    this.sampling = load(folder, "sampling.safetensors");
    this.settings = settingsOf(meta.config);
    this.sizes = meta.config.image_sizes_hw.map(sizeOf);
    const outlines = json<{ polygons: number[][][] }[]>(folder, "ground_truth.json");
    this.images = outlines.map(({ polygons }, i) => ({
      boxes: this.io.get(`gt_boxes_${i}`)!.data as Float32Array,
      classes: this.io.get(`gt_classes_${i}`)!.data as Int32Array,
      polygons,
    }));
  }

  model(): Detector {
    const model = new Detector(this.settings);
    model.loadStateDict(stateDict(load(this.folder, "state.safetensors")));
    return model;
  }

  /** Normalized, then padded with 0. */
  input(): GoldenTensor {
    const { batch, square_pad: side, pixel_mean: mean, pixel_std: std } = this.meta.config;
    const data = new Float32Array(batch * 3 * side * side);
    for (let image = 0; image < batch; image++) {
      const { shape, data: pixels } = this.io.get(`image_${image}`)!;
      const [height, width] = shape;
      for (let at = 0; at < pixels.length; at++) {
        const channel = at % 3;
        const [y, x] = [Math.floor(at / 3 / width), Math.floor(at / 3) % width];
        const to = ((image * 3 + channel) * side + y) * side + x;
        if (y < height) data[to] = (pixels[at] - mean[channel]) / std[channel];
      }
    }
    return { shape: [batch, 3, side, side], dtype: "F32", data };
  }
}

export const maskRcnnRunner =
  (execute: Execute): CaseRunner =>
  async (folder, meta) => {
    const one = new Case(folder, meta, execute);
    const input = one.input();
    const first = await forward(one, input);
    return [
      ...compareResults(
        "input",
        new Map([["input", input.data]]),
        new Map([["input", one.io.get("network_input")!]]),
        boundOf(meta, "values"),
      ),
      ...first.checks,
      ...(await trainingChecks(one, input, first.outputs)),
      ...(await inferenceChecks(one, input, first.outputs)),
      groupCheck(one),
    ];
  };

interface Outputs {
  logits: Float32Array;
  deltas: Float32Array;
}

/** The maps, and what the first stage says. */
async function forward(one: Case, input: GoldenTensor): Promise<{ checks: Check[]; outputs: Outputs }> {
  const model = one.model();
  const results = await one.execute({
    name: "first stage",
    model,
    inputs: { images: input },
    body: ({ images }) => {
      const maps = model.maps(images);
      const named = Object.fromEntries(maps.map((map, i) => [`map_p${i + 2}`, channelsFirst(map)]));
      return { ...named, vit_map: channelsFirst(model.backbone.net.forward(images)), ...model.regions(maps) };
    },
  });
  const names = [...results.keys()].filter((name) => name.includes("map"));
  const expected = new Map(names.map((name) => [name, one.io.get(name)!]));
  return {
    checks: compareResults("maps", results, expected, boundOf(one.meta, "values")),
    outputs: { logits: results.get("logits") as Float32Array, deltas: results.get("deltas") as Float32Array },
  };
}

/** Recorded permutations of a stage; names begin with it. */
const permutations = (sampling: GoldenTensors, stage: string) => {
  const own = new Map(
    [...sampling]
      .filter(([name]) => name.startsWith(stage))
      .map(([name, t]) => [name.slice(stage.length), t]),
  );
  return (image: number) => recordedPermutations(own, image);
};

async function trainingChecks(one: Case, input: GoldenTensor, outputs: Outputs): Promise<Check[]> {
  const { settings, images, sampling, meta, io } = one;
  const anchors = detectorAnchors(settings);
  const first = firstStage(settings, anchors, images, permutations(sampling, "rpn_"));
  const proposals = proposalsOf(settings, anchors, outputs, one.sizes, true);
  const second = secondStage(
    settings,
    images,
    proposals.map(({ boxes }) => boxes),
    permutations(sampling, "roi_"),
  );
  const model = one.model();
  const { optimizer } = meta.config;
  const rules = detectorRules(model, {
    weightDecay: optimizer.weight_decay,
    layerDecay: optimizer.layer_decay,
    depth: optimizer.num_layers,
  });
  const results = await one.execute({
    name: "step",
    model,
    inputs: { images: input, ...fedOf({ ...first.feeds, ...second.feeds }) },
    body: (given) => {
      const losses = model.losses(given);
      const gradients = withGradients(model, given, [], (fed) => model.loss(fed));
      const { logits, deltas } = model.boxes(model.maps(given.images), roisOf(given));
      return {
        losses: tf.stack([...LOSSES.map((name) => losses[name]!), model.loss(given)]),
        class_logits: logits,
        box_deltas: deltas,
        ...gradients,
        ...stepped(model, gradients, rules, optimizer),
      };
    },
  });
  const golden = renamed(load(one.folder, "grads.safetensors"), (name) => `grad.${name}`);
  const values = new Map([
    ["losses", io.get("losses")!],
    ...["class_logits", "box_deltas"].map((name) => [name, sampling.get(name)!] as const),
  ]);
  return [
    ...images.flatMap((_, i) => [
      exactly(`sampled anchors ${i}`, first.drawn[i].objects, sampling.get(`rpn_pos_${i}`)),
      exactly(`sampled background ${i}`, first.drawn[i].background, sampling.get(`rpn_neg_${i}`)),
      exactly(`sampled classes ${i}`, second.drawn[i].labels, sampling.get(`roi_class_${i}`)),
      ...compareResults(
        `proposals ${i}`,
        new Map([["boxes", proposals[i].boxes]]),
        new Map([["boxes", sampling.get(`proposal_boxes_${i}`)!]]),
        boundOf(meta, "boxes"),
      ),
    ]),
    ...compareResults("training", results, values, boundOf(meta, "values")),
    ...compareGradients("gradients", results, golden, meta),
    parameterCheck(one, results, golden),
  ];
}

const roisOf = (given: Given): Given =>
  Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) =>
      name.startsWith("rois.") ? [[name.slice(5), value]] : [],
    ),
  );

/** Parameters behind the first step, as "after.<path>". */
function stepped(
  model: Detector,
  gradients: Record<string, Tensor>,
  rules: ReturnType<typeof detectorRules>,
  { lr, betas: [beta1, beta2], eps }: { lr: number; betas: number[]; eps: number },
): Record<string, Tensor> {
  const schedule = tf.tensor1d([lr, 1 - beta1, 1 - beta2]);
  const parameters = new Map(model.namedParameters());
  return Object.fromEntries(
    [...rules].map(([path, { weightDecay, lrScale }]) => {
      const parameter = parameters.get(path)!.value;
      const zeros = tf.zerosLike(parameter);
      const operands = {
        parameter,
        gradient: gradients[`grad.${path}`],
        average: zeros,
        squares: zeros,
        schedule,
      };
      return [`after.${path}`, adamW(operands, { beta1, beta2, eps, weightDecay, lrScale })[0]];
    }),
  );
}

/** Numbers whose gradient is near rounding noise are not compared: the first step moves them either way. */
function parameterCheck(one: Case, results: Results, gradients: GoldenTensors): Check {
  let worst = 0;
  for (const [path, { data }] of load(one.folder, "params_after.safetensors")) {
    const actual = results.get(`after.${path}`) ?? [];
    const gradient = gradients.get(`grad.${path}`)!.data;
    const noise = new Set(path.endsWith("attn.qkv.bias") ? keyThird(Array.from(data.keys())) : []);
    const kept = Array.from(data.keys()).filter((i) => Math.abs(gradient[i]) >= 1e-6 && !noise.has(i));
    worst = Math.max(
      worst,
      maxAbsError(
        kept.map((i) => actual[i]),
        kept.map((i) => data[i]),
      ),
    );
  }
  return {
    name: "parameters after a step",
    error: worst,
    tolerance: one.meta.recommended_tolerance.params_abs,
  };
}

function groupCheck({ meta, folder, ...one }: Case): Check {
  const { optimizer } = meta.config;
  const rules = detectorRules(new Detector(one.settings), {
    weightDecay: optimizer.weight_decay,
    layerDecay: optimizer.layer_decay,
    depth: optimizer.num_layers,
  });
  const golden = json<Record<string, { lr_scale: number; weight_decay: number }>>(
    folder,
    "param_groups.json",
  );
  const wrong = Object.entries(golden).filter(([path, { lr_scale: scale, weight_decay: decay }]) => {
    const rule = rules.get(path);
    return !rule || rule.weightDecay !== decay || Math.abs(rule.lrScale - scale) > 1e-15;
  });
  return {
    name: "parameter groups",
    error: wrong.length + Math.abs(Object.keys(golden).length - rules.size),
    tolerance: 0,
  };
}

interface ExpectedDetections {
  rle: { size: number[]; counts: string }[];
}

async function inferenceChecks(one: Case, input: GoldenTensor, outputs: Outputs): Promise<Check[]> {
  const { settings, meta, images } = one;
  const golden = load(one.folder, "inference.safetensors");
  const proposals = proposalsOf(settings, detectorAnchors(settings), outputs, one.sizes, false);
  const model = one.model();
  const { rois, classes, regions } = settings;
  const boxRows = roiRows(
    settings,
    proposals.map(({ boxes }) => boxes),
    rois.boxBins,
    regions.proposals.test,
  );
  const box = await one.execute({
    name: "boxes",
    model,
    inputs: { images: input, ...fedOf(boxRows) },
    body: (given) => {
      const { logits, deltas } = model.boxes(model.maps(given.images), given);
      return { probabilities: tf.softmax(logits), deltas };
    },
  });
  const ofImage = (data: ArrayLike<number>, i: number) =>
    rowsOf(i, { shape: [images.length], dtype: "F32", data: data as Float32Array });
  const found = proposals.map(({ boxes }, i) => {
    const count = boxes.length / 4;
    const probabilities = ofImage(box.get("probabilities")!, i).subarray(0, count * (classes + 1));
    const deltas = ofImage(box.get("deltas")!, i).subarray(0, 4 * count * classes);
    const decoded = decodeBoxes(boxes, deltas, rois.weights);
    return findDetections(decoded, probabilities, classes, one.sizes[i], rois.detections);
  });
  const most = rois.detections.perImage;
  const labels = Int32Array.from(
    found.flatMap((all) => Array.from({ length: most }, (_, i) => all.classes[i] ?? 0)),
  );
  const maskRows = roiRows(
    settings,
    found.map(({ boxes }) => boxes),
    rois.maskBins,
    most,
  );
  const masks = await one.execute({
    name: "masks",
    model,
    inputs: { images: input, ...fedOf({ ...maskRows, classes: { shape: [labels.length], data: labels } }) },
    body: (given) => ({ probabilities: tf.sigmoid(model.masks(model.maps(given.images), given)) }),
  });
  const expected = json<ExpectedDetections[]>(one.folder, "detections.json");
  return found.flatMap((detections, i) => {
    const size = (2 * rois.maskBins) ** 2;
    const probabilities = ofImage(masks.get("probabilities")!, i).subarray(
      0,
      detections.scores.length * size,
    );
    const to = sizeOf(meta.config.original_sizes_hw[i]);
    const output = rescaleBoxes(detections.boxes, one.sizes[i], to);
    const kept = Float32Array.from(
      [...output.kept].flatMap((row) => [...probabilities.subarray(row * size, (row + 1) * size)]),
    );
    const pasted = pasteMasks(kept, output.boxes, to);
    const values: Results = new Map([
      ["scores", detections.scores],
      ["mask_probs", probabilities],
      ["test_proposal_logits", proposals[i].logits],
    ]);
    const boxes: Results = new Map([
      ["boxes", detections.boxes],
      ["output_boxes", output.boxes],
      ["test_proposal_boxes", proposals[i].boxes],
    ]);
    const pick = (names: Iterable<string>) =>
      new Map([...names].map((name) => [name, golden.get(`${name}_${i}`)!]));
    const wrong = expected[i].rle.map(({ size: [height, width], counts }, at) => {
      const pixels = decodeMask(rleFromText(counts, height, width));
      return decodeMask(pasted[at]).reduce((sum, pixel, j) => sum + Math.abs(pixel - pixels[j]), 0);
    });
    return [
      exactly(`detected classes ${i}`, detections.classes, golden.get(`classes_${i}`)),
      ...compareResults(`detections ${i}`, values, pick(values.keys()), boundOf(meta, "values")),
      ...compareResults(`boxes ${i}`, boxes, pick(boxes.keys()), boundOf(meta, "boxes")),
      {
        name: `masks ${i}`,
        error: Math.max(0, ...wrong),
        tolerance: meta.recommended_tolerance.output_masks_max_pixels,
      },
    ];
  });
}
