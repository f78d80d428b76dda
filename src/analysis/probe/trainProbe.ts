import { inspect } from "node:util";
import { LuvitError, listOffenders } from "../../core/errors";
import { allFinite } from "../../core/finite";
import { breathe } from "../../core/loop";
import { checkOptions, number, optionsOf, seed, signal, whole } from "../../core/options";
import { beginWork } from "../../core/progress";
import { Rng } from "../../core/rng";
import { withStopRequest } from "../../core/stopRequest";
import type { EngineOptions } from "../../engine";
import { compile } from "../../nn/compile";
import { scaledRate, warmupCosine } from "../../optim/schedule";
import { engine } from "../options";
import { columnsOf, type ResultTable, resultTable } from "../provenance";
import { LinearProbe } from "./linearProbe";
import { openProbe } from "./openProbe";
import { type ProbeFeatures, probeFeatures, settledFeatures } from "./settledFeatures";

/** MAE's protocol unless told otherwise. */
export interface ProbeOptions extends EngineOptions {
  /** Features that the accuracy is measured with after every epoch; default none. */
  test?: ProbeFeatures;
  /** Default 90. */
  epochs?: number;
  /** Default 10, at most a ninth of `epochs`. */
  warmupEpochs?: number;
  /**
   * Times batchSize / 256 is the peak rate; default 0.1, which MAE uses with 16,384 images in a batch. Of few images it learns
   * little: LARS moves weights by a thousandth of their length times the rate.
   */
  baseLr?: number;
  /** Default 512, at most all. */
  batchSize?: number;
  /** Default 0. */
  weightDecay?: number;
  /** Of the weights and of the order; default 0. */
  seed?: number;
  /** Ends it after the current epoch. SIGINT does the same. */
  signal?: AbortSignal;
}

export const probeOptions = optionsOf<ProbeOptions>(
  {},
  {
    ...engine,
    test: probeFeatures,
    epochs: whole(1, 1_000_000),
    warmupEpochs: whole(0, 1_000_000),
    baseLr: number(0, 1e6, true),
    batchSize: whole(2, 1_000_000),
    weightDecay: number(0, 1e6),
    seed,
    signal,
  },
);

/** A trained probe. Prints as one line. */
export class TrainedProbe {
  constructor(
    /** `probe.forward(features)`; `probe.stateDict()` has the official keys. */
    readonly probe: LinearProbe,
    /** A row per epoch: epoch, loss (mean of its steps), lr (of its last step), accuracy (percent of `test`, or null). */
    readonly history: ResultTable,
    /** Percent of the test features, after the last epoch. */
    readonly accuracy: number | null,
  ) {}

  toString(): string {
    const { dim, classes } = this.probe;
    const result = this.accuracy === null ? "not tested" : `${this.accuracy.toFixed(2)} % right`;
    return `TrainedProbe(${dim} features, ${classes} classes, ${this.history.numRows} epochs, ${result})`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * Trains a linear probe on cached features of a frozen encoder, of any kind: MAE's protocol (batch normalization without
 * scale, linear layer, LARS, warm-up and cosine), without its random crops, as the features are what they are.
 * Reference: mae/main_linprobe.py.
 *
 * @throws LuvitError("bad-argument") for features that cannot be, or do not fit each other; ("non-finite") for those that
 * hold NaN or infinities, and for a training that has diverged.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.mae.create({ encoder: luvit.vit.toy, decoder: luvit.mae.decoderToy });
 * const features = await luvit.analysis.extractFeatures(model, images.take(24));
 * console.log(await luvit.analysis.trainProbe(features, { test: features, epochs: 3 }));
 */
export async function trainProbe(features: ProbeFeatures, options: ProbeOptions = {}): Promise<TrainedProbe> {
  const train = settledFeatures("trainProbe", "training", features);
  checkOptions("trainProbe", probeOptions, options);
  const test = options.test && settledFeatures("trainProbe", "test", options.test);
  const { test: _, epochs = 90, baseLr = 0.1, weightDecay = 0, seed = 0, signal, ...rest } = options;
  const { batchSize = 512, warmupEpochs = Math.min(10, Math.floor(epochs / 9)), ...engine } = rest;
  const count = train.labels.length;
  const batch = Math.min(batchSize, count);
  expectFit(train, test);
  const classes = classesOf(train, test);
  const rng = new Rng(seed).fork("probe");
  const probe = new LinearProbe(train.dim, classes, rng);
  const perEpoch = Math.floor(count / batch);
  const plan = { lr: scaledRate(baseLr, batch), minLr: 0, warmupEpochs, epochs };
  const rows: { epoch: number; loss: number; lr: number; accuracy: number | null }[] = [];
  const training = await openProbe(probe, batch, { weightDecay }, engine);
  const testing = test && (await openTest(probe, test, engine));
  const activity = beginWork({ label: "linear probe", total: epochs, kept: 0 });
  try {
    await withStopRequest(signal, async (request) => {
      for (let epoch = 0; epoch < epochs && !request.stopped; epoch++) {
        const order = rng.fork("order", epoch).permutation(count);
        let [loss, lr] = [0, 0];
        for (let step = 0; step < perEpoch; step++) {
          lr = warmupCosine(plan, epoch + step / perEpoch);
          const chosen = order.subarray(step * batch, (step + 1) * batch);
          const { loss: now } = await training.step(...gathered(train, chosen), lr);
          if (!Number.isFinite(now[0])) throw diverged(epoch, lr);
          loss += now[0] / perEpoch;
        }
        if (testing) await training.sync();
        rows.push({ epoch, loss, lr, accuracy: testing ? await testing.accuracy() : null });
        activity.advance(rows.length);
        await breathe();
      }
    });
    await training.sync();
    await expectFinite(probe);
  } finally {
    activity.end(rows.length === epochs ? "done" : "stopped");
    await training.dispose();
    await testing?.dispose();
  }
  const columns = columnsOf(rows, ["epoch", "loss", "lr", "accuracy"]);
  const history = resultTable(columns, { model: "linear probe", seed });
  return new TrainedProbe(probe, history, rows.at(-1)?.accuracy ?? null);
}

function expectFit(train: ProbeFeatures, test?: ProbeFeatures): void {
  const problems: string[] = [];
  if (test && test.dim !== train.dim) problems.push(`features are ${train.dim} and ${test.dim} wide`);
  if (train.labels.length < 2) problems.push(`${train.labels.length} training samples, expected two or more`);
  if (test?.labels.length === 0) problems.push("no test samples");
  if (problems.length > 0) throw new LuvitError("bad-argument", `trainProbe: ${problems.join("; ")}`);
}

function diverged(epoch: number, lr: number): LuvitError {
  const advice = "a lower baseLr or a longer warm-up may help";
  return new LuvitError(
    "non-finite",
    `trainProbe: the loss is no longer finite in epoch ${epoch}, at a rate of ${lr.toExponential(3)}; ${advice}`,
  );
}

/** @throws LuvitError("non-finite") naming what has overflowed: statistics of features that are too large, weights. */
async function expectFinite(probe: LinearProbe): Promise<void> {
  const state = [...(await probe.stateDict())];
  const broken = state.filter(([, { data }]) => !allFinite(data as Float32Array)).map(([name]) => name);
  if (broken.length === 0) return;
  throw new LuvitError(
    "non-finite",
    `trainProbe: no longer finite, are the features too large?\n${listOffenders(broken)}`,
  );
}

function classesOf(...sets: readonly (ProbeFeatures | undefined)[]): number {
  return sets.reduce((most, set) => set?.labels.reduce((a, b) => Math.max(a, b), most) ?? most, 0) + 1;
}

function gathered(
  { values, dim, labels }: ProbeFeatures,
  rows: ArrayLike<number>,
): [Float32Array, Int32Array] {
  const batch = new Float32Array(rows.length * dim);
  const chosen = new Int32Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    batch.set(values.subarray(rows[i] * dim, (rows[i] + 1) * dim), i * dim);
    chosen[i] = labels[rows[i]];
  }
  return [batch, chosen];
}

/** Tells, as often as it is asked, how many percent of features the probe names right. */
async function openTest(probe: LinearProbe, { labels, values, dim }: ProbeFeatures, engine: EngineOptions) {
  const forward = await compile(
    "probe",
    {
      inputs: { features: { shape: [labels.length, dim] } },
      model: probe,
      body: ({ features }) => ({ logits: probe.forward(features) }),
    },
    engine,
  );
  const accuracy = async () => {
    await forward.refresh();
    const { data } = (await forward.run({ features: values })).logits;
    const isRight = (label: number, row: number) => {
      const own = (data as Float32Array).subarray(row * probe.classes, (row + 1) * probe.classes);
      return own.indexOf(own.reduce((a, b) => Math.max(a, b))) === label;
    };
    return (100 * Array.from(labels).filter(isRight).length) / labels.length;
  };
  return { accuracy, dispose: () => forward.dispose() };
}
