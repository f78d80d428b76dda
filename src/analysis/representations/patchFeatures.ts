import { LuvitError } from "../../core/errors";
import { checkOptions, optionsOf, text } from "../../core/options";
import { type Tensor, tf } from "../../core/tf";
import type { Classifier } from "../../models/classifier";
import type { MaskedAutoencoder } from "../../models/mae";
import { type Body, type ForwardBatch, forwardBatches, type MaskedOrPlain } from "../forwardBatches";
import { type GivenImages, givenImages, readable } from "../givenImages";
import type { ImageShape } from "../graphsByShape";
import { batchSize, encodingModel, type LookOptions, looking } from "../options";
import { expectLayers } from "../patterns";
import type { MapSize } from "../relevance/display";
import { stackedRows } from "../stackedRows";

export interface PatchFeatureOptions extends LookOptions {
  /** A place whose values are tokens, e.g. "blocks.5.out", "fusion.mapper1"; default "tokens", the encoder's end. */
  layer?: string;
  /** Images at a time; default 8. */
  batchSize?: number;
}

const patchFeatureOptions = optionsOf<PatchFeatureOptions>({}, { ...looking, layer: text, batchSize });

/** What every patch of every image holds, a row each, patches row by row. */
export interface PatchFeatures {
  /** [N × P × dim]. */
  readonly values: Float32Array;
  readonly dim: number;
  readonly layer: string;
  /** Rows and columns of patches. */
  readonly grid: MapSize;
  /** Pixels of each image. */
  readonly size: MapSize;
  /** [N]. */
  readonly samples: readonly MaskedOrPlain[];
}

/**
 * Features of the patches of images at one place of a model: for principal components, similarities, clusters.
 *
 * @throws LuvitError("bad-argument") for a place that the model does not have or whose values are no tokens, or images of
 * several shapes.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const { values, dim } = await luvit.analysis.patchFeatures(model, images.take(2), { layer: "blocks.2.out" });
 * console.log(luvit.analysis.principalComponents(values, dim).share);
 */
export async function patchFeatures(
  model: Classifier | MaskedAutoencoder,
  images: GivenImages,
  options: PatchFeatureOptions = {},
): Promise<PatchFeatures> {
  checkOptions("patchFeatures", encodingModel, model);
  checkOptions("patchFeatures", givenImages, images);
  checkOptions("patchFeatures", patchFeatureOptions, options);
  const { layer = "tokens", batchSize = 8, ...engine } = options;
  const { firstPatch, config } = model.encoder;
  const body: Body = (fed, { context, grid }) => {
    const found = new Map<string, Tensor>();
    const tap = (name: string, value: Tensor) => {
      if (value.rank === 3) found.set(name, value);
    };
    model.encoder.tokens(fed, { ...context, tap });
    expectLayers("patchFeatures", [layer], [...found.keys()]);
    const tokens = found.get(layer)!;
    const [batch, , dim] = tokens.shape as [number, number, number];
    return { features: tf.slice(tokens, [0, firstPatch, 0], [batch, grid.rows * grid.columns, dim]) };
  };
  const samples: MaskedOrPlain[] = [];
  const rows: Float32Array[] = [];
  const set = readable(images, config.imageSize);
  let seen: Pick<ForwardBatch, "grid" | "shape"> | undefined;
  for await (const { samples: own, size, grid, shape, results } of forwardBatches(model, set, body, {
    batchSize,
    anyTokens: true,
    ...engine,
  })) {
    if (own.length === 0) continue;
    seen ??= { grid, shape };
    expectOneShape(seen.shape, shape, own[0]!.path);
    const width = results.features.length / size;
    for (const [i, sample] of own.entries()) {
      samples.push(sample);
      rows.push(results.features.slice(i * width, (i + 1) * width));
    }
  }
  const { values, dim: width } = stackedRows(rows);
  const { grid, shape } = seen!;
  return {
    values,
    dim: width / (grid.rows * grid.columns),
    layer,
    grid,
    size: { rows: shape.height, columns: shape.width },
    samples,
  };
}

/** @throws LuvitError("bad-argument") */
function expectOneShape(first: ImageShape, own: ImageShape, path: string): void {
  if (first.height === own.height && first.width === own.width) return;
  const shapes = `${own.width} x ${own.height} px, those before ${first.width} x ${first.height}`;
  throw new LuvitError("bad-argument", `patchFeatures: ${path} has ${shapes}; give images of one shape`);
}
