import { LuvitError } from "../../core/errors";
import { breathe } from "../../core/loop";
import { checkOptions, list, optionsOf, signal, whole } from "../../core/options";
import { beginWork } from "../../core/progress";
import { withStopRequest } from "../../core/stopRequest";
import type { ImageDataset } from "../../data/dataset";
import { type Classifier, classifierField } from "../../models/classifier";
import type { Context } from "../../nn/context";
import { type Forward, type ForwardFunction, openForward } from "../../train/forward";
import { GraphsByShape } from "../graphsByShape";
import { batchSize, checkLooked, type LookOptions, looking, provenance } from "../options";
import type { Provenance } from "../provenance";
import { softmaxOf } from "../softmax";
import { forAnswer } from "../stages";
import { type CurveName, Faithfulness, type Row } from "./faithfulnessTable";
import { maskAgreement } from "./maskAgreement";
import type { RelevanceMethod } from "./methods";
import { areaUnder, blurKernel, blurred, bySaliency, steps } from "./perturbation";
import { type RelevanceMap, relevanceMaps, relevanceMethod } from "./relevance";

export interface FaithfulnessOptions extends LookOptions, Provenance {
  /** Default "chefer", "legrad", "gradcam", "rollout". */
  methods?: readonly RelevanceMethod[];
  /** Pixels that change at a time; default as many as the image has in 28 steps. RISE: 224 of 224 × 224. */
  step?: number;
  /** Changed images at a time; default 16. */
  batchSize?: number;
  /** Ends it after the current image; the numbers are then over the images until then. SIGINT does the same. */
  signal?: AbortSignal;
}

const faithfulnessOptions = optionsOf<FaithfulnessOptions>(
  {},
  {
    ...looking,
    ...provenance.optional,
    methods: list(relevanceMethod, 1),
    step: whole(1, 1_000_000_000),
    batchSize,
    signal,
  },
);

/**
 * Faithfulness of maps, per method: "deletion", the mean probability of the predicted class while pixels turn gray (the
 * training set's mean) by falling relevance, small where the map finds the evidence; "insertion", the same while they
 * return into a blurred image, large; and, where the set has masks, how the patches above a map's mean agree with the
 * object: share of the patches that count ("accuracy") and intersection over union ("iou").
 * Pixels of equal relevance change in the order of the pixels. Reference: Petsiuk et al. 2018 (RISE).
 *
 * @throws LuvitError("bad-argument") for images that do not fit the model, or no readable image.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * console.log(await luvit.analysis.faithfulness(model, images.subset([0, 1]), { methods: ["chefer", "rollout"] }));
 */
export async function faithfulness(
  model: Classifier,
  dataset: ImageDataset,
  options: FaithfulnessOptions = {},
): Promise<Faithfulness> {
  checkOptions("faithfulness", classifierField, model);
  checkLooked("faithfulness", model, dataset);
  checkOptions("faithfulness", faithfulnessOptions, options);
  const {
    methods = ["chefer", "legrad", "gradcam", "rollout"],
    step,
    batchSize = 16,
    signal,
    ...rest
  } = options;
  const { model: name = model.toString(), data, recipe, seed, positions, graphs: most = 4, ...engine } = rest;
  const look = { positions, graphs: most, ...engine };
  const context: Context = dataset.ownShapes ? { positions: positions ?? "mae" } : {};
  const graphs = new GraphsByShape(({ height, width }, batch) => {
    const inputs = { images: { shape: [batch, 3, height, width] } };
    const body: ForwardFunction["body"] = ({ images }) => ({
      logits: model.forward(images, { ...context, ...forAnswer(model) }),
    });
    return openForward("faithfulness", model, { inputs, body }, engine);
  }, most);
  const activity = beginWork({ label: "faithfulness", total: methods.length * dataset.length, kept: 0 });
  const rows: Row[] = [];
  let done = false;
  try {
    await withStopRequest(signal, async (request) => {
      for (const method of methods) {
        for await (const map of relevanceMaps(model, dataset, { method, batchSize: 1, ...look })) {
          const { rows: height, columns: width } = map.size;
          const forward = await graphs.graphFor({ height, width }, batchSize, 1);
          const curves = await curvesOf(map, forward, { step, batchSize });
          rows.push({ path: map.sample.path, method, class: map.label, ...curves, ...maskAgreement(map) });
          activity.advance(rows.length);
          await breathe();
          if (request.stopped) return;
        }
      }
      done = true;
    });
  } finally {
    activity.end(done ? "done" : "stopped");
    await graphs.dispose();
  }
  if (rows.length === 0)
    throw new LuvitError("bad-argument", "faithfulness: no image of the set can be read");
  return new Faithfulness(rows, { model: name, data, recipe, seed });
}

/** Blurring the image is the same for all methods, and cheap beside the steps. */
async function curvesOf(
  map: RelevanceMap,
  forward: Forward,
  { step, batchSize }: { step?: number; batchSize: number },
): Promise<Pick<Row, CurveName | "curves">> {
  const { rows, columns } = map.size;
  const image = map.sample.image;
  const order = bySaliency(map.pixels());
  const size = step ?? Math.ceil(order.length / 28);
  const soft = blurred(image, rows, columns, blurKernel());
  const curve = (start: Float32Array, end: Float32Array) =>
    chances(steps(start, end, order, size), forward, [batchSize, 3, rows, columns], map.label);
  const deletion = await curve(image, new Float32Array(image.length));
  const insertion = await curve(soft, image);
  return {
    deletion: areaUnder(deletion),
    insertion: areaUnder(insertion),
    curves: { deletion, insertion },
  };
}

/** Probability of a class for each of the images, which are one buffer, changed in between. */
async function chances(
  images: Iterable<Float32Array>,
  forward: Forward,
  shape: readonly number[],
  label: number,
): Promise<number[]> {
  const found: number[] = [];
  let batch = new Float32Array(shape.reduce((a, b) => a * b, 1));
  const [batchSize] = shape;
  const length = batch.length / batchSize;
  let filled = 0;
  const flush = async () => {
    const { logits } = await forward.run({ images: { data: batch, shape } });
    const width = logits.length / batchSize;
    for (let i = 0; i < filled; i++)
      found.push(softmaxOf(logits.subarray(i * width, (i + 1) * width))[label]);
    batch = new Float32Array(batch.length);
    filled = 0;
  };
  for (const image of images) {
    batch.set(image, filled * length);
    filled++;
    if (filled === batchSize) await flush();
  }
  if (filled > 0) await flush();
  return found;
}
