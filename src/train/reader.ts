import { LuvitError } from "../core/errors";
import type { EngineOptions } from "../engine";
import { chooseEngine } from "../engine/choose";
import type { Llavit } from "../models/llavit/llavit";
import {
  keptShapes,
  type Places,
  placesOf,
  type Read,
  readImage,
  readOn,
  sayOn,
} from "../models/llavit/reading";
import { type Feeds, type HostFeed, imageFeed } from "./feeds";
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

const isSmall = (model: Llavit): boolean => model.counts().total < SMALL;

/**
 * Tokens that are said in a run: four where one takes no longer than the way to an engine and back. More would make each
 * answer a little faster still, and the first one wait longer for a graph that is as many times as long.
 */
const tokensAtOnce = (model: Llavit): number => (isSmall(model) ? 4 : 1);

/** Where nobody says on what: a small model has one thread of the CPU. */
function lightly(model: Llavit, wish: EngineOptions): EngineOptions {
  const { threads, provider, precision } = chooseEngine(wish).options;
  const isAsked = threads !== undefined || provider !== undefined || precision === "float16";
  return isAsked || !isSmall(model) ? wish : { ...wish, threads: 1 };
}

/** What a model says: tokens, one after another, and the logits [tokens, V] that each was chosen by. */
export interface Speech {
  readonly tokens: readonly number[];
  readonly logits: Float32Array;
}

/**
 * A model that reads prompts on an engine, and keeps what it has read, so that what it says is computed token by token. Three
 * graphs of fixed shapes, whatever is asked: the image and the text around it, more text, and an answer going on.
 */
export class Reader {
  private read = 0;

  private constructor(
    private readonly model: Llavit,
    private readonly sizes: ReaderSizes,
    private readonly forwards: Forwards,
    /** Tokens that are said in a run. */
    readonly atOnce: number,
  ) {}

  /** @throws LuvitError("engine") when the engine asked for cannot be had or cannot run the graphs. */
  static async open(model: Llavit, sizes: ReaderSizes, options: EngineOptions = {}): Promise<Reader> {
    const atOnce = tokensAtOnce(model);
    const functions = readingFunctions(model, sizes, atOnce);
    return new Reader(model, sizes, await openForwards(model, functions, lightly(model, options)), atOnce);
  }

  /** What it runs on, for people. */
  get engine(): string {
    return this.forwards.engine;
  }

  /** Begins anew: reads a prompt about an image [3, S, S]. Gives back the logits of what comes next, [V]. */
  async begin(image: Float32Array, ids: readonly number[]): Promise<Float32Array> {
    const width = firstTokens(this.model, this.sizes);
    const seen = ids.slice(0, width);
    const { logits } = await this.forwards.run("image", {
      images: imageFeed(image, this.model.vision_tower.config.imageSize),
      ...textFeeds(seen, width),
    });
    this.read = seen.length;
    return ids.length > width ? this.on(ids.slice(width)) : logits;
  }

  /** Reads on. Gives back the logits of what comes next, [V]. */
  async on(tokens: readonly number[]): Promise<Float32Array> {
    let logits: Float32Array | undefined;
    const width = textTokens(this.sizes);
    for (let at = 0; at < tokens.length; at += width) {
      const some = tokens.slice(at, at + width);
      const places = this.placesFor(some.length, width);
      ({ logits } = await this.forwards.run("text", { ...textFeeds(some, width), ...placeFeeds(places) }));
      this.read += some.length;
    }
    return logits!;
  }

  /**
   * Reads `token` and says the next ones, each the likeliest after those before it once a row of `noise` [atOnce, V] is
   * added to its logits: fewer than `atOnce` where there is no room for more.
   */
  async say(token: number, noise: Float32Array): Promise<Speech> {
    const { vocabulary } = this.model.language.config;
    const count = Math.min(this.atOnce, Math.max(1, this.sizes.capacity - this.read));
    const { tokens, logits } = await this.forwards.run("answer", {
      token: { data: Int32Array.of(token), shape: [1], dtype: "int32" },
      noise: { data: noise, shape: [this.atOnce, vocabulary] },
      ...placeFeeds(this.placesFor(count, this.atOnce)),
    });
    this.read += count;
    return { tokens: Array.from(tokens.subarray(0, count)), logits };
  }

  private placesFor(count: number, width: number): Places {
    const { capacity } = this.sizes;
    if (this.read + count > capacity)
      throw new LuvitError("bad-argument", `answer: more than the ${capacity} tokens that there is room for`);
    return placesOf(this.read, count, { width, capacity, window: this.model.language.config.slidingWindow });
  }

  dispose(): Promise<void> {
    return this.forwards.dispose();
  }
}

/** Tokens of the first pass: up to where the image ends, and so many of text. */
function firstTokens({ patches }: Llavit, { start, capacity }: ReaderSizes): number {
  return Math.min(start + patches + CHUNK, capacity);
}

/** Tokens of a pass over text. */
function textTokens({ capacity }: ReaderSizes): number {
  return Math.min(CHUNK, capacity);
}

function textFeeds(tokens: readonly number[], width: number): Feeds {
  const ids = new Int32Array(width);
  ids.set(tokens);
  return {
    ids: { data: ids, shape: [1, width], dtype: "int32" },
    last: { data: Int32Array.of(tokens.length - 1), shape: [1], dtype: "int32" },
  };
}

function placeFeeds({ positions, places, mask }: Places): Record<keyof Places, HostFeed> {
  const width = positions.length;
  const capacity = mask.length / width;
  return {
    positions: { data: positions, shape: [width] },
    places: { data: places, shape: [capacity, width] },
    mask: { data: mask, shape: [width, capacity] },
  };
}

function readingFunctions(
  model: Llavit,
  sizes: ReaderSizes,
  atOnce: number,
): Record<string, KeepingFunction> {
  const { start, capacity } = sizes;
  const side = model.vision_tower.config.imageSize;
  const { vocabulary } = model.language.config;
  const kept = keptShapes(model, capacity);
  const resultsOf = <R extends Read>({ kept, ...results }: R) => ({ ...results, ...kept });
  const text = (width: number) => ({
    ids: { shape: [1, width], dtype: "int32" as const },
    last: { shape: [1], dtype: "int32" as const },
  });
  const places = (width: number) => ({
    positions: { shape: [width] },
    places: { shape: [capacity, width] },
    mask: { shape: [width, capacity] },
  });
  return {
    image: {
      inputs: { images: { shape: [1, 3, side, side] }, ...text(firstTokens(model, sizes)) },
      kept,
      body: (fed) => resultsOf(readImage(model, fed as never, start, capacity)),
    },
    text: {
      inputs: { ...text(textTokens(sizes)), ...places(textTokens(sizes)) },
      kept,
      body: (fed, before) => resultsOf(readOn(model, fed as never, before)),
    },
    answer: {
      inputs: {
        token: { shape: [1], dtype: "int32" },
        noise: { shape: [atOnce, vocabulary] },
        ...places(atOnce),
      },
      kept,
      body: (fed, before) => resultsOf(sayOn(model, fed as never, before)),
    },
  };
}
