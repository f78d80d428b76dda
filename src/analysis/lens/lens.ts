import { inspect } from "node:util";
import { checkOptions, list, object, optionsOf, text, whole } from "../../core/options";
import { printable } from "../../core/printable";
import { type Tensor, tf } from "../../core/tf";
import { type Classifier, classifierField } from "../../models/classifier";
import { type Context, inference } from "../../nn/context";
import { type Body, forwardBatches, type MaskedOrPlain } from "../forwardBatches";
import { type GivenImages, givenImages, readable } from "../givenImages";
import { batchSize, type LookOptions, looking } from "../options";
import { expectLayers } from "../patterns";
import type { MapSize } from "../relevance/display";
import { softmaxOf } from "../softmax";
import { answerTo, asEnd, readTokens } from "../stages";

export interface LensOptions extends LookOptions {
  /** Places in the residual stream, e.g. ["blocks.5.out", "fusion.out"]; default all of them. */
  sites?: readonly string[];
  /** Images at a time; default 2. */
  batchSize?: number;
}

const lensOptions = optionsOf<LensOptions>({}, { ...looking, sites: list(text, 1), batchSize });

/** What the model would answer at one place of its residual stream. */
export interface LensSite {
  /** "embed", "blocks.5.out", "llama.layers.0.middle", "fusion.out". */
  readonly site: string;
  /** The head applied to every token, class token first where there is one, [T × K]: no temperature, no softmax. */
  readonly logits: Float32Array;
  /** The model's own pooling, norm and head on the tokens of this place: an early exit, [K]. */
  readonly pooled: Float32Array;
}

/** What the patches of one image say, layer by layer. Prints as one line. */
export class LensMaps {
  constructor(
    readonly sample: MaskedOrPlain,
    readonly classes: number,
    readonly grid: MapSize,
    /** In the order of the forward pass. */
    readonly sites: readonly LensSite[],
    /** Tokens in front of the patches. */
    private readonly firstPatch: number,
  ) {}

  /**
   * The class that a patch speaks for at a place, and how surely.
   *
   * @throws LuvitError("bad-argument") for a place that was not looked at, or a patch that is not there.
   */
  at(site: string, patch: number): { label: number; probability: number } {
    expectLayers("lens", [site], this.names);
    const patches = this.grid.rows * this.grid.columns;
    checkOptions("lens", object({ patch: whole(0, patches - 1) }, {}), { patch });
    const { logits } = this.sites.find((one) => one.site === site)!;
    const row = logits.subarray(
      (patch + this.firstPatch) * this.classes,
      (patch + this.firstPatch + 1) * this.classes,
    );
    const chances = softmaxOf(row);
    const label = chances.indexOf(Math.max(...chances));
    return { label, probability: chances[label] };
  }

  /** Labels of all patches at a place, [P], row by row. */
  labels(site: string): Int32Array {
    const patches = this.grid.rows * this.grid.columns;
    return Int32Array.from({ length: patches }, (_, patch) => this.at(site, patch).label);
  }

  private get names(): string[] {
    return this.sites.map(({ site }) => site);
  }

  toString(): string {
    const { rows, columns } = this.grid;
    return `LensMaps(${printable(this.sample.path)}, ${rows} × ${columns} patches at ${this.names.join(", ")})`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** Whether a lens fits a value of this name: the residual stream, before, inside and behind the fusion path. */
export function isLensSite(name: string): boolean {
  return /^(embed|blocks\.\d+\.out|fusion\.(mapper1|out)|llama\.layers\.\d+\.(middle|out))$/.test(name);
}

/**
 * The model's head on every token of every place of the residual stream. Inside the language block (its own width) through
 * the block's norm and mapper 2, too. images [B, 3, H, W] -> per place logits [B, T, K] and early exit [B, K].
 * Reference: nostalgebraist 2020, "interpreting GPT: the logit lens"; ViT-Prisma for vision.
 */
export function lensOf(
  model: Classifier,
  images: Tensor,
  context: Context = inference,
): Map<string, { logits: Tensor; pooled: Tensor }> {
  const found = new Map<string, { logits: Tensor; pooled: Tensor }>();
  let entering: Tensor | undefined;
  const tap = (name: string, value: Tensor) => {
    if (name === "fusion.in") entering = value;
    if (!isLensSite(name)) return;
    const tokens = asEnd(model, name, value, entering);
    const logits = model.head.forward(readTokens(model, tokens));
    found.set(name, { logits, pooled: answerTo(model, tokens) });
  };
  model.forward(images, { ...context, tap });
  return found;
}

/**
 * What each patch says at each layer: the model's own norm and head applied to every token of the residual stream, before
 * the fusion path, inside the language block and behind it. For a class-token model the last place's class token is the
 * answer; for mean pooling `pooled` of the last place is, and the mean of what the patches say is not (the norm comes after
 * the mean).
 *
 * @throws LuvitError("bad-argument") for places the model does not have, naming those it has.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const [maps] = await luvit.analysis.lens(model, images.subset([0]));
 * console.log(maps.at("blocks.3.out", 27));
 */
export async function lens(
  model: Classifier,
  images: GivenImages,
  options: LensOptions = {},
): Promise<LensMaps[]> {
  checkOptions("lens", classifierField, model);
  checkOptions("lens", givenImages, images);
  checkOptions("lens", lensOptions, options);
  const { sites, batchSize = 2, ...engine } = options;
  const { imageSize } = model.encoder.config;
  const names: string[] = [];
  const body: Body = (fed, { context }) => {
    const found = lensOf(model, fed, context);
    expectLayers("lens", sites, [...found.keys()]);
    names.splice(0, names.length, ...[...found.keys()].filter((name) => sites?.includes(name) ?? true));
    const of = (part: "logits" | "pooled") => names.map((name) => found.get(name)![part]);
    return { tokens: tf.stack(of("logits"), 1), pooled: tf.stack(of("pooled"), 1) };
  };
  const maps: LensMaps[] = [];
  const batches = forwardBatches(model, readable(images, imageSize), body, {
    batchSize,
    anyTokens: true,
    ...engine,
  });
  for await (const { samples, size, grid, results } of batches) {
    for (const [i, sample] of samples.entries()) {
      const part = (values: Float32Array, site: number) => {
        const width = values.length / size / names.length;
        const start = (i * names.length + site) * width;
        return values.slice(start, start + width);
      };
      const made = names.map((site, at) => ({
        site,
        logits: part(results.tokens, at),
        pooled: part(results.pooled, at),
      }));
      maps.push(new LensMaps(sample, model.classes, grid, made, model.encoder.firstPatch));
    }
  }
  return maps;
}
