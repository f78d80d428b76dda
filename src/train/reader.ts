import { LuvitError } from "../core/errors";
import type { EngineOptions } from "../engine";
import { chooseEngine } from "../engine/choose";
import type { Llavit } from "../models/llavit/llavit";
import { keptShapes, type Places, placesOf, type Read, readImage, readOn } from "../models/llavit/reading";
import { type Feeds, imageFeed } from "./feeds";
import type { KeepingFunction } from "./forward";
import { type Forwards, openForwards } from "./forwards";

/** Tokens of text that are read at a time. */
const CHUNK = 32;
/** Room for text and answer behind an image: what a question and its answer usually need. */
const ROOM = 256;

/** Sizes of the graphs that a model reads with. */
export interface ReaderSizes {
  /** Tokens before the image. */
  readonly start: number;
  /** Tokens that there is room for. */
  readonly capacity: number;
}

/** Room for a prompt and its answer: the usual one, or as many times twice that as it needs. */
export function capacityFor(prefix: number, tokens: number): number {
  let room = ROOM;
  while (prefix + room < tokens) room *= 2;
  return prefix + room;
}

/** Weights below which one thread is as fast as two, and waits for nobody on a machine that has other things to do. */
const SMALL = 20e6;

/** Where nobody says on what: a small model has one thread of the CPU. */
function lightly(model: Llavit, wish: EngineOptions): EngineOptions {
  const { threads, provider, precision } = chooseEngine(wish).options;
  const isAsked = threads !== undefined || provider !== undefined || precision === "float16";
  return isAsked || model.counts().total >= SMALL ? wish : { ...wish, threads: 1 };
}

/**
 * A model that reads prompts on an engine, and keeps what it has read, so that each further token is computed alone. Three
 * graphs of fixed shapes, whatever is asked: up to the end of the image, so many tokens of text at a time, one token.
 */
export class Reader {
  private read = 0;

  private constructor(
    private readonly model: Llavit,
    private readonly sizes: ReaderSizes,
    private readonly forwards: Forwards,
  ) {}

  /** @throws LuvitError("engine") when the engine asked for cannot be had or cannot run the graphs. */
  static async open(model: Llavit, sizes: ReaderSizes, options: EngineOptions = {}): Promise<Reader> {
    const engine = lightly(model, options);
    return new Reader(model, sizes, await openForwards(model, readingFunctions(model, sizes), engine));
  }

  /** What it runs on, for people. */
  get engine(): string {
    return this.forwards.engine;
  }

  /** Tokens up to where the image ends. */
  private get prefix(): number {
    return this.sizes.start + this.model.patches;
  }

  /** Begins anew: reads a prompt about an image [3, S, S]. Gives back the logits of what comes next, [V]. */
  async begin(image: Float32Array, ids: readonly number[]): Promise<Float32Array> {
    const { prefix } = this;
    const seen = Int32Array.from(ids.slice(0, prefix));
    const { logits } = await this.forwards.run("image", {
      images: imageFeed(image, this.model.vision_tower.config.imageSize),
      ids: { data: seen, shape: [1, prefix], dtype: "int32" },
    });
    this.read = prefix;
    const text = ids.slice(prefix);
    return text.length > 0 ? this.on(text) : logits;
  }

  /** Reads on. Gives back the logits of what comes next, [V]. */
  async on(tokens: readonly number[]): Promise<Float32Array> {
    let logits: Float32Array | undefined;
    for (let at = 0; at < tokens.length; at += CHUNK) logits = await this.chunk(tokens.slice(at, at + CHUNK));
    return logits!;
  }

  private async chunk(tokens: readonly number[]): Promise<Float32Array> {
    const { capacity } = this.sizes;
    if (this.read + tokens.length > capacity)
      throw new LuvitError("bad-argument", `answer: more than the ${capacity} tokens that there is room for`);
    const width = tokens.length === 1 ? 1 : CHUNK;
    const window = this.model.language.config.slidingWindow;
    const places = placesOf(this.read, tokens.length, { width, capacity, window });
    const { logits } = await this.forwards.run(
      width === 1 ? "token" : "text",
      furtherFeeds(tokens, width, places),
    );
    this.read += tokens.length;
    return logits;
  }

  dispose(): Promise<void> {
    return this.forwards.dispose();
  }
}

function furtherFeeds(tokens: readonly number[], width: number, { positions, places, mask }: Places): Feeds {
  const ids = new Int32Array(width);
  ids.set(tokens);
  return {
    ids: { data: ids, shape: [1, width], dtype: "int32" },
    last: { data: Int32Array.of(tokens.length - 1), shape: [1], dtype: "int32" },
    positions: { data: positions, shape: [width], dtype: "int32" },
    places: { data: places, shape: [mask.length / width, width] },
    mask: { data: mask, shape: [width, mask.length / width] },
  };
}

function readingFunctions(model: Llavit, { start, capacity }: ReaderSizes): Record<string, KeepingFunction> {
  const side = model.vision_tower.config.imageSize;
  const kept = keptShapes(model, capacity);
  const resultsOf = ({ logits, kept }: Read) => ({ logits, ...kept });
  const ofText = (width: number): KeepingFunction => ({
    inputs: {
      ids: { shape: [1, width], dtype: "int32" },
      last: { shape: [1], dtype: "int32" },
      positions: { shape: [width], dtype: "int32" },
      places: { shape: [capacity, width] },
      mask: { shape: [width, capacity] },
    },
    kept,
    body: (fed, before) => resultsOf(readOn(model, fed as never, before)),
  });
  return {
    image: {
      inputs: {
        images: { shape: [1, 3, side, side] },
        ids: { shape: [1, start + model.patches], dtype: "int32" },
      },
      kept,
      body: (fed) => resultsOf(readImage(model, fed as never, start, capacity)),
    },
    text: ofText(CHUNK),
    token: ofText(1),
  };
}
