import { Rng } from "../src/core/rng";
import type { Batch } from "../src/data/loader";
import { describeEngine, type Programs } from "../src/engine";
import { optimize, summarize } from "../src/graph";
import { create } from "../src/models/detector/create";
import type { Detector } from "../src/models/detector/detector";
import { toy } from "../src/models/detector/toy";
import { sendParameters } from "../src/nn/modelState";
import { detectorRules } from "../src/optim/detectorRules";
import { DetectorFeeds, PROPOSALS } from "../src/train/detection/feeds";
import { finderFunctions, ObjectFinder } from "../src/train/detection/finder";
import { arraysOf } from "../src/train/feeds";
import { traceFunction } from "../src/train/stepPrograms";
import { openPrograms } from "./core/engines";
import type { BenchOptions } from "./core/options";
import { fusionOf, presetOf } from "./core/presets";
import { randomImages } from "./core/randomImages";
import type { StepBench } from "./core/stepBench";
import { aboutGraph, traceTraining, type Work } from "./core/work";

const betas = [0.9, 0.999] as const;
const lr = 1e-4;
const dropPath = 0.1;
const layerDecay = 0.7;
/** Objects of the image that a step learns from, in shares of its side. */
const OBJECTS = [
  [0.1, 0.1, 0.3, 0.35],
  [0.4, 0.2, 0.8, 0.9],
  [0.05, 0.6, 0.35, 0.95],
  [0.7, 0.05, 0.95, 0.15],
];

function modelOf(options: BenchOptions): Detector {
  if (options.preset === "toy") return create({ ...toy, classes: 80 });
  const preset = presetOf(options.preset);
  return create({ encoder: preset.vit, fusion: fusionOf(preset), classes: 80 });
}

/** What the peer must know of the detector. */
function jobOf(options: BenchOptions) {
  const { encoder, regions, pyramid, classes } = modelOf(options).settings;
  const { imageSize, windowSize, globalBlocks } = encoder;
  const { perLevel, proposals } = regions;
  const detector = { imageSize, windowSize, globalBlocks, pyramid, classes, perLevel, proposals, dropPath };
  return { detector, betas, lr, boxes: boxesOf(imageSize) };
}

const boxesOf = (side: number) => OBJECTS.map((box) => box.map((edge) => edge * side));

/** Objects in one image: encoder, proposals, boxes. Fresh weights find none, so that no mask is drawn. */
export const detectForward: StepBench = {
  batch: 1,
  job: jobOf,
  async open(options) {
    const model = modelOf(options);
    const functions = Object.entries(finderFunctions(model));
    const programs: Programs = Object.fromEntries(
      functions.map(([name, body]) => [name, traceFunction(name, model, body)]),
    );
    const executor = await openPrograms(programs, options);
    await sendParameters(executor, model.namedParameters());
    const finder = new ObjectFinder(model, {
      engine: describeEngine(executor.description),
      run: async (name, feeds) => (await executor.run(name, arraysOf(feeds))) as Record<string, Float32Array>,
      dispose: () => executor.dispose(),
    });
    const { imageSize: side } = model.settings.encoder;
    const image = randomImages(1, side, new Rng(0));
    const size = { height: side, width: side };
    const flops = ["look", "boxes"].map((name) => summarize(programs[name].graph).matMulFlops);
    return {
      shapes: { images: image.shape },
      flops: flops[0] + flops[1],
      parameters: model.counts(),
      engine: finder.engine,
      run: async () => {
        const found = await finder.find({
          values: image.data as Float32Array,
          covered: size,
          original: size,
        });
        return found.scores.length;
      },
      traffic: () => executor.traffic,
      dispose: () => finder.dispose(),
    };
  },
};

/** One training step: proposals, draws on the host, then losses, gradients and AdamW. */
export const detectStep: StepBench = {
  batch: 1,
  job: jobOf,
  open: openStep,
};

async function openStep(options: BenchOptions): Promise<Work> {
  const model = modelOf(options);
  const { encoder } = model.settings;
  const feeds = new DetectorFeeds(model, { dropPath, normalize: "image" });
  const rules = detectorRules(model, { weightDecay: 0.1, layerDecay, depth: encoder.depth });
  const batch = batchOf(encoder.imageSize);
  const task = { name: "detect", model, rules, loss: model.loss.bind(model) };
  const graph = optimize(traceTraining({ task, betas, lr, batches: [feeds.first(batch, new Rng(0))] }), {
    memory: options.memory,
  });
  const proposing = traceFunction(PROPOSALS, model, feeds.proposing(1));
  const executor = await openPrograms({ train: { graph, guard: "loss" }, [PROPOSALS]: proposing }, options);
  await sendParameters(executor, model.namedParameters());
  let t = 0;
  return {
    ...aboutGraph(graph),
    flops: summarize(graph).matMulFlops + summarize(proposing.graph).matMulFlops,
    parameters: model.counts(),
    engine: describeEngine(executor.description),
    async run() {
      const rng = new Rng(++t);
      const first = feeds.first(batch, rng);
      const fed = await feeds.refined(first, batch, rng, async (name, given) => {
        return (await executor.run(name, arraysOf(given))) as Record<string, Float32Array>;
      });
      const [beta1, beta2] = betas;
      const schedule = Float32Array.of(lr, 1 - beta1 ** t, 1 - beta2 ** t);
      return (await executor.run("train", { ...arraysOf(fed), schedule })).loss[0];
    },
    traffic: () => executor.traffic,
    dispose: () => executor.dispose(),
  };
}

/** A random image whose objects fill their boxes. */
function batchOf(side: number): Batch {
  const boxes = boxesOf(side);
  const sample = {
    boxes: Float32Array.from(boxes.flat()),
    labels: new Int32Array(boxes.length),
    polygons: boxes.map(([x0, y0, x1, y1]) => [Float64Array.of(x0, y0, x1, y0, x1, y1, x0, y1)]),
    geometry: { covered: { height: side, width: side } },
  };
  const { data } = randomImages(1, side, new Rng(0));
  const images = data as Float32Array;
  const labels = new Int32Array(1);
  return { images, labels, indices: labels, paths: [""], samples: [sample as never], epoch: 0, batch: 0 };
}
