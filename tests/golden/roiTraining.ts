import { type Tensor, tf } from "../../src/core/tf";
import { joinBoxes } from "../../src/models/detection/boxes";
import { matchBoxes } from "../../src/models/detection/matching";
import { levelsOf } from "../../src/models/detection/roiWeights";
import {
  drawRois,
  maskFeeds,
  mostObjects,
  type RoiSamples,
  roiFeeds,
  roiRowFeeds,
} from "../../src/models/detection/targets";
import { type BoxTargets, boxLosses, maskLoss } from "../../src/models/detector/roiHeads";
import { poolRois } from "../../src/models/detector/rois";
import { boundOf, channelsFirst, compareResults, filtered, renamed } from "./detector";
import { exactly, fedOf, recordedPermutations } from "./detectorTensors";
import { type Execute, withGradients } from "./execute";
import { type Check, maxAbsError } from "./harness";
import { type Case, floatsOf, type Given, prefixed, under } from "./roiCase";
import { type GoldenTensors, load } from "./support";
export async function trainingChecks(one: Case, execute: Execute): Promise<Check[]> {
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
