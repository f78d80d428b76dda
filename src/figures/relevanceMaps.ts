import { RelevanceMap } from "../analysis/relevance/relevance";
import { LuvitError } from "../core/errors";
import { groupBy } from "../core/groupBy";
import { checkOptions, instance, list, optionsOf } from "../core/options";
import { unnormalize } from "../data/pixels";
import type { ImageFigure, RgbImage } from "./image";
import { imageGrid } from "./imageGrid";
import { inGray, overlayMap } from "./maps";
import { cell, labels, share } from "./options";

export interface RelevanceMapsOptions {
  /** In label order. */
  classNames?: readonly string[];
  /** Weight of the map over the image, which is shown in gray; default 0.65. */
  alpha?: number;
  /** Width of an image in pixels; default 168. */
  cell?: number;
}

const mapsOptions = optionsOf<RelevanceMapsOptions>({}, { classNames: labels, alpha: share, cell });

/**
 * Maps of `analysis.relevance` over their images: a row per image, a column per map of it, methods or classes beside each
 * other. Each map is drawn as its authors show it, from its least (dark) to its most (bright); below it stands the class and
 * what the model gives it.
 *
 * @throws LuvitError("bad-argument") where images have different numbers of maps.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const maps = await luvit.analysis.relevance(model, images.take(2), { method: "legrad" });
 * luvit.show(await luvit.figures.relevanceMaps(maps, { classNames: images.classes }));
 */
export async function relevanceMaps(
  maps: readonly RelevanceMap[],
  options: RelevanceMapsOptions = {},
): Promise<ImageFigure> {
  checkOptions("relevanceMaps", list(instance(RelevanceMap, "a map of analysis.relevance"), 1), maps);
  checkOptions("relevanceMaps", mapsOptions, options);
  const { classNames, alpha = 0.65, cell = 168 } = options;
  const rows = [...groupBy(maps, ({ sample }) => sample.path).values()];
  const counts = rows.map((row) => row.length);
  if (counts.some((count) => count !== counts[0])) {
    throw new LuvitError(
      "bad-argument",
      `relevanceMaps: every image needs as many maps as the others, got ${counts.join(", ")}`,
    );
  }
  const className = (label: number) => classNames?.[label] ?? `class ${label}`;
  const drawn = rows.map(async (row) => {
    const image = imageOf(row[0]!);
    const gray = inGray(image);
    return [image, ...(await Promise.all(row.map((map) => over(gray, map, alpha))))];
  });
  const methods = rows[0]!.map((_, column) =>
    [...new Set(rows.map((row) => row[column]!.method))].join(", "),
  );
  return imageGrid(await Promise.all(drawn), {
    columnTitles: ["image", ...methods],
    captions: rows.map((row) => [
      undefined,
      ...row.map(({ label, probability }) => `${className(label)} ${(100 * probability).toFixed(0)} %`),
    ]),
    cell,
    alt: `Relevance of ${rows.length === 1 ? "one image" : `${rows.length} images`}: ${methods.join(" | ")}`,
  });
}

const imageOf = ({ sample, size }: RelevanceMap): RgbImage =>
  unnormalize(sample.image, size.columns, size.rows);

function over(gray: RgbImage, map: RelevanceMap, alpha: number): Promise<RgbImage> {
  const { rows, columns } = map.size;
  const values = { values: map.pixels(), width: columns, height: rows };
  return overlayMap(gray, values, { colormap: "magma", alpha, range: [0, 1] });
}
