import { LuvitError } from "../../core/errors";
import { breathe } from "../../core/loop";
import { checkOptions, list, number, optionsOf, whole } from "../../core/options";
import { tf } from "../../core/tf";
import type { EngineOptions } from "../../engine";
import { compile } from "../../nn/compile";
import { engine } from "../options";
import { largest } from "./largest";
import { type ProbeFeatures, settledFeatures } from "./settledFeatures";

export interface NeighborOptions extends EngineOptions {
  /** How many neighbors vote; default 10, 20, 100, 200, those that the training set can give. */
  k?: readonly number[];
  /** A neighbor's vote is exp(similarity / temperature); default 0.07, from 0.002. */
  temperature?: number;
  /** Classes that votes are counted for; default as many as the labels name. */
  classes?: number;
}

const neighborOptions = optionsOf<NeighborOptions>(
  {},
  {
    ...engine,
    k: list(whole(1, 1_000_000_000), 1),
    temperature: number(0.002, 1e6),
    classes: whole(1, 1_000_000),
  },
);

/** What the neighbors say, for one k. */
export interface NeighborVotes {
  readonly k: number;
  /** [N × classes]: each sample's votes. */
  readonly votes: Float64Array;
  /** [N]: the class with most votes. */
  readonly predictions: Int32Array;
  /** Percent of the samples whose label has most votes; is among the five classes with most (with votes at all). */
  readonly top1: number;
  readonly top5: number;
}

/** 8 GB. */
const MOST_VOTES = 2 ** 30;

/** Test samples at a time. */
const BATCH = 64;

/**
 * Weighted nearest neighbors: every test sample takes the votes of the k training samples most similar to it (cosine).
 * Reference: Wu et al. 2018; facebookresearch/dino eval_knn.py.
 *
 * @throws LuvitError("bad-argument") for features of different widths, a k above the number of training
 * samples, labels above `classes`, or features that cannot be; ("non-finite") for those that hold NaN or infinities.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.mae.create({ encoder: luvit.vit.toy, decoder: luvit.mae.decoderToy });
 * const features = await luvit.analysis.extractFeatures(model, images.take(12));
 * const [five] = await luvit.analysis.nearestNeighbors(features, features, { k: [5] });
 * console.log(five.top1);
 */
export async function nearestNeighbors(
  known: ProbeFeatures,
  asked: ProbeFeatures,
  options: NeighborOptions = {},
): Promise<NeighborVotes[]> {
  const train = settledFeatures("nearestNeighbors", "training", known);
  const test = settledFeatures("nearestNeighbors", "test", asked);
  checkOptions("nearestNeighbors", neighborOptions, options);
  const { temperature = 0.07, k, classes = classesOf(train, test), ...engine } = options;
  const count = train.labels.length;
  const wanted = k ?? [10, 20, 100, 200].filter((each) => each <= count);
  expectComparable(train, test, wanted, classes);
  const found = wanted.map((each) => ({ k: each, votes: new Float64Array(test.labels.length * classes) }));
  const most = Math.max(...wanted);
  const bank = tf.tidy(() => tf.variable(tf.tensor(unitRows(train), [count, train.dim])));
  const similarity = await compile(
    "nearest neighbors",
    {
      inputs: { samples: { shape: [BATCH, test.dim] } },
      state: { bank },
      body: ({ samples }) => ({ similarity: tf.matMul(samples, bank, false, true) }),
    },
    engine,
  );
  try {
    const rows = unitRows(test);
    for (let start = 0; start < test.labels.length; start += BATCH) {
      const samples = new Float32Array(BATCH * test.dim);
      samples.set(rows.subarray(start * test.dim, (start + BATCH) * test.dim));
      const { data } = (await similarity.run({ samples })).similarity;
      for (let row = start; row < Math.min(start + BATCH, test.labels.length); row++) {
        const similar = (data as Float32Array).subarray((row - start) * count, (row - start + 1) * count);
        const nearest = largest(similar, most);
        for (const { k, votes } of found) {
          for (const index of nearest.subarray(0, k))
            votes[row * classes + train.labels[index]] += Math.exp(similar[index] / temperature);
        }
      }
      await breathe();
    }
  } finally {
    bank.dispose();
    await similarity.dispose();
  }
  return found.map(({ k, votes }) => ({ k, votes, ...scored(votes, test.labels, classes) }));
}

/** One more than the largest label. */
function classesOf(...sets: readonly Pick<ProbeFeatures, "labels">[]): number {
  return sets.reduce((most, { labels }) => labels.reduce((a, b) => Math.max(a, b), most), 0) + 1;
}

function expectComparable(
  train: Pick<ProbeFeatures, "dim" | "labels">,
  test: Pick<ProbeFeatures, "dim" | "labels">,
  wanted: readonly number[],
  classes: number,
): void {
  const [count, tested] = [train.labels.length, test.labels.length];
  const problems = [
    ...(train.dim !== test.dim ? [`features are ${train.dim} and ${test.dim} wide`] : []),
    ...(count === 0 || tested === 0 ? [`${count} training and ${tested} test samples`] : []),
    ...wanted.filter((k) => k > count).map((k) => `k is ${k}, with ${count} training samples`),
    ...(classes < classesOf(train, test)
      ? [`labels up to ${classesOf(train, test) - 1}, ${classes} classes`]
      : []),
    ...(wanted.length === 0 ? [`${count} training samples; say k`] : []),
  ];
  const votes = tested * classes * wanted.length;
  if (votes > MOST_VOTES)
    problems.push(
      `${votes} votes of ${classes} classes do not fit into memory; ask with fewer samples at a time`,
    );
  if (problems.length > 0) throw new LuvitError("bad-argument", `nearestNeighbors: ${problems.join("; ")}`);
}

/** Rows of length 1; a row of zeros stays. */
function unitRows({ values, dim }: Pick<ProbeFeatures, "values" | "dim">): Float32Array {
  const rows = Float32Array.from(values);
  for (let start = 0; start < rows.length; start += dim) {
    const row = rows.subarray(start, start + dim);
    const length = Math.max(1e-12, Math.sqrt(row.reduce((sum, x) => sum + x * x, 0)));
    for (let i = 0; i < dim; i++) row[i] /= length;
  }
  return rows;
}

function scored(votes: Float64Array, labels: Int32Array, classes: number) {
  const predictions = new Int32Array(labels.length);
  let [first, five] = [0, 0];
  for (const [row, label] of labels.entries()) {
    const own = votes.subarray(row * classes, (row + 1) * classes);
    const order = largest(own, Math.min(5, classes));
    predictions[row] = order[0];
    if (order[0] === label) first++;
    if (order.includes(label) && own[label] > 0) five++;
  }
  const percent = (hits: number) => (100 * hits) / labels.length;
  return { predictions, top1: percent(first), top5: percent(five) };
}
