import { LuvitError } from "../../core/errors";
import { checkOptions } from "../../core/options";
import { Rng } from "../../core/rng";
import { type DetectionDataset, detectionField } from "../../data/coco";
import { expectReadable } from "../../data/expectReadable";
import type { Detector } from "../../models/detector/detector";
import { detectorField } from "../../models/detector/options";
import { detectorRules } from "../../optim/detectorRules";
import { expectClasses, expectClassOrder, expectImageSize } from "../checkSizes";
import type { Forwards } from "../forwards";
import { startRun } from "../loop";
import { type RunPlan, settlePlan, type TrainOptions } from "../plan";
import type { Run } from "../run";
import type { CallFunction } from "../steps";
import { DetectorFeeds, PROPOSALS } from "./feeds";
import { finderFunctions, ObjectFinder } from "./finder";
import { type DetectOptions, detectOptions } from "./options";
import { type Asked, expectHeldOut, validate } from "./validate";

/**
 * Trains a detector: boxes and classes, and masks where it draws them. Every batch is looked at twice: once for the boxes
 * that its first stage proposes, from which samples are drawn on the host, and once for losses and gradients, as one graph.
 * Images without objects that count are left out. Returns at once with a handle; the model is trained in place.
 *
 * @throws LuvitError("bad-argument") for options that cannot be or images of another size, LuvitError("bad-dataset") where
 * masks are to be learned and objects have no polygons.
 * @example
 * const transform = luvit.data.transforms.largeScaleJitter(96);
 * const scenes = await luvit.data.coco({ root: "data/shapes/coco", part: "train", transform });
 * const model = luvit.detector.create({ ...luvit.detector.toy, classes: scenes.classes.length });
 * const run = luvit.train.detect(model, scenes.take(8), { ...luvit.recipes.detectToy, batchSize: 2, epochs: 1, out: false });
 * console.log(await run.done);
 */
export function detect(model: Detector, images: DetectionDataset, options: DetectOptions): Run<Detector> {
  checkOptions("detect", detectorField, model);
  checkOptions("detect", detectionField, images);
  checkOptions("detect", detectOptions, options);
  const { encoder, masks } = model.settings;
  expectImageSize(images, encoder.imageSize, "detect");
  expectClasses(images, model.classes, "detect");
  expectClassOrder(images, model, "detect");
  const dataset = images.trainable({ masks });
  if (dataset.length === 0) {
    throw new LuvitError(
      "bad-argument",
      `detect: none of the ${images.length} images has an object to learn from`,
    );
  }
  const { validation } = options;
  const { settings: shape, classes } = model;
  const classNames = dataset.classes.length === classes ? [...dataset.classes] : model.classNames;
  if (validation) expectValidation(validation, { settings: shape, classes, classNames });
  model.classNames = classNames;
  const settings = settingsOf(options);
  const plan = planOf(dataset, options, settings);
  const { layerDecay } = settings;
  const rules = detectorRules(model, { weightDecay: plan.weightDecay, layerDecay, depth: encoder.depth });
  const draws = new Rng(plan.seed).fork("detect");
  const feeds = new DetectorFeeds(model, settings);
  const drawsOf = (micro: number) => draws.fork("batch", micro);
  return startRun(
    {
      name: "detect",
      model,
      dataset,
      plan,
      settings: { ...settings },
      rules,
      feeds: (batch, micro) => feeds.first(batch, drawsOf(micro)),
      refine: (fed, batch, micro, call) => feeds.refined(fed, batch, drawsOf(micro), call),
      loss: (given) => model.loss(given),
      functions: {
        [PROPOSALS]: feeds.proposing(plan.batchSize),
        ...(validation && finderFunctions(model)),
      },
      validation,
      // Images that cannot be read are found now, not after an epoch.
      prepare: async () => {
        if (validation) await expectReadable(validation, options.maxUnreadable);
      },
      evaluate: validation
        ? (stepper, sharing) =>
            validate(new ObjectFinder(model, borrowed(stepper)), validation, masks, sharing)
        : undefined,
    },
    options,
  );
}

/** The programs of a run, which ends them itself. */
const borrowed = (stepper: { call: CallFunction }): Forwards => ({
  engine: "the run's",
  run: (name, feeds) => stepper.call(name, feeds),
  dispose: async () => {},
});

/** @throws LuvitError("bad-argument") for a set that an epoch could not be evaluated on. */
function expectValidation(validation: DetectionDataset, model: Asked): void {
  expectHeldOut(validation, model, "detect: validation");
  if (validation.trainable().length > 0) return;
  const found = `none of the ${validation.length} images to validate with has an object`;
  throw new LuvitError("bad-argument", `detect: ${found}; leave the set out, or give another`);
}

/** What decides the numbers, beside the plan. */
interface DetectSettings {
  layerDecay: number;
  dropPath: number;
  normalize: "image" | "batch";
  warmupSteps: number;
  warmupFactor: number;
  milestones: readonly number[];
  factor: number;
}

/** The one place where detection's defaults stand. */
function settingsOf(options: DetectOptions): DetectSettings {
  const { layerDecay = 0.7, dropPath = 0.1, normalize = "image" } = options;
  const { warmupSteps = 250, warmupFactor = 0.001, milestones = [8 / 9, 26 / 27], factor = 0.1 } = options;
  return { layerDecay, dropPath, normalize, warmupSteps, warmupFactor, milestones, factor };
}

function planOf(dataset: DetectionDataset, options: DetectOptions, settings: DetectSettings): RunPlan {
  const { weightDecay = 0.1 } = options;
  const plan = settlePlan(dataset, { ...options, weightDecay } as TrainOptions, [0.9, 0.999]);
  const { warmupSteps, warmupFactor, factor } = settings;
  const milestones = settings.milestones.map((share) => Math.round(share * plan.totalSteps));
  return { ...plan, schedule: { lr: options.lr, warmupSteps, warmupFactor, milestones, factor } };
}
