import { LuvitError } from "../core/errors";
import { sizeOf } from "../core/hostTensor";
import { breathe } from "../core/loop";
import { beginWork } from "../core/progress";
import type { StopRequest } from "../core/stopRequest";
import type { Tensor } from "../core/tf";
import type { ImageDataset } from "../data/dataset";
import { type Batch, batches } from "../data/loader";
import type { EngineOptions } from "../engine";
import type { Classifier } from "../models/classifier";
import { keepingLayers, type SettledMatch } from "./featureMatches";
import { type Feeds, type HostFeed, pixelFeed } from "./feeds";
import { openForward } from "./forward";

/** What a teacher says of images: logits [B, K], layers by name. */
export interface Answers {
  readonly logits: Tensor;
  readonly layers: ReadonlyMap<string, Tensor>;
}

/** A teacher's answers to images [B, 3, S, S], with nothing dropped. */
export function ask(teacher: Classifier, images: Tensor): Answers {
  const layers = new Map<string, Tensor>();
  const logits = teacher.forward(images, keepingLayers(layers));
  return { logits, layers };
}

/** Most bytes of answers that are kept. */
const MOST_BYTES = 4 * 2 ** 30;
const LOGITS = "logits";
const feedName = (answer: string) => `teacher.${answer}`;

/** A teacher's answers to every image of a set, asked for once and kept in memory. */
export class KeptAnswers {
  /** Numbers of one image, by answer. */
  private readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** [N, ...], by answer. */
  private readonly values = new Map<string, Float32Array>();
  private readonly known: Uint8Array;

  /** @throws LuvitError("bad-argument") where images are augmented, or answers would take too much memory. */
  constructor(
    private readonly teacher: Classifier,
    private readonly dataset: ImageDataset,
    matches: readonly SettledMatch[],
    withLogits: boolean,
  ) {
    const layers = matches.map(({ teacher: layer, shape }) => [layer, shape] as const);
    this.shapes = new Map(withLogits ? [[LOGITS, [teacher.classes]], ...layers] : layers);
    this.known = new Uint8Array(dataset.length);
    if (!dataset.preprocessing) {
      const advice = "its transform draws at random; take data.transforms.evaluation, or leave cache out";
      throw new LuvitError("bad-argument", `distill: cache needs images that are always the same; ${advice}`);
    }
    const numbers = [...this.shapes.values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
    const bytes = 4 * numbers * dataset.length;
    if (bytes <= MOST_BYTES) return;
    const size = `${dataset.length} images x ${numbers} numbers are ${(bytes / 2 ** 30).toFixed(1)} GiB`;
    throw new LuvitError(
      "bad-argument",
      `distill: cache: ${size}, more than 4; match logits alone, or leave cache out`,
    );
  }

  /** Asks the teacher about every image, until a stop is asked for. */
  async prepare(
    batchSize: number,
    engine: EngineOptions,
    request: Pick<StopRequest, "stopped">,
  ): Promise<void> {
    const { teacher, dataset } = this;
    const side = teacher.encoder.config.imageSize;
    const size = Math.min(batchSize, dataset.length);
    for (const [name, shape] of this.shapes)
      this.values.set(name, new Float32Array(dataset.length * sizeOf(shape)));
    const body = ({ images }: Readonly<Record<string, Tensor>>) => {
      const { logits, layers } = ask(teacher, images);
      const of = (name: string) => (name === LOGITS ? logits : layers.get(name)!);
      return Object.fromEntries([...this.shapes.keys()].map((name) => [name, of(name)]));
    };
    const inputs = { images: { shape: [size, 3, side, side] } };
    const forward = await openForward("teacher", teacher, { inputs, body }, engine);
    const activity = beginWork({ label: "the teacher's answers", total: dataset.length, kept: 0 });
    let state: "done" | "stopped" | "failed" = "failed";
    try {
      for await (const batch of batches(dataset, {
        batchSize: size,
        shuffle: false,
        dropLast: false,
        reuse: 1,
      })) {
        if (request.stopped) break;
        this.keep(batch, await forward.run({ images: pixelFeed(batch, side, size) }));
        activity.advance(batch.batch * size + batch.indices.length);
        await breathe();
      }
      state = request.stopped ? "stopped" : "done";
    } finally {
      activity.end(state);
      await forward.dispose();
    }
  }

  /** The answers to a batch, as operands of a step. */
  feeds({ indices, paths }: Batch): Feeds {
    const unknown = indices.findIndex((index) => this.known[index] === 0);
    if (unknown >= 0) {
      const when = "it could not be read when the teacher was asked";
      throw new LuvitError("bad-dataset", `distill: no kept answer to ${paths[unknown]}; ${when}`);
    }
    const entries = [...this.shapes].map(([name, shape]): [string, HostFeed] => {
      const width = sizeOf(shape);
      const data = new Float32Array(indices.length * width);
      const values = this.values.get(name)!;
      for (const [i, index] of indices.entries())
        data.set(values.subarray(index * width, (index + 1) * width), i * width);
      return [feedName(name), { data, shape: [indices.length, ...shape] }];
    });
    return Object.fromEntries(entries);
  }

  /** What `feeds` has put among a step's operands. */
  of(inputs: Readonly<Record<string, Tensor>>): Answers {
    const layers = [...this.shapes.keys()].map((name) => [name, inputs[feedName(name)]] as const);
    return { logits: inputs[feedName(LOGITS)], layers: new Map(layers) };
  }

  private keep({ indices }: Batch, results: Record<string, Float32Array>): void {
    for (const [name, shape] of this.shapes) {
      const width = sizeOf(shape);
      for (const [i, index] of indices.entries())
        this.values.get(name)!.set(results[name].subarray(i * width, (i + 1) * width), index * width);
    }
    for (const index of indices) this.known[index] = 1;
  }
}
