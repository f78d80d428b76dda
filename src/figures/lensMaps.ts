import { LensMaps } from "../analysis/lens/lens";
import { expectLayers } from "../analysis/patterns";
import { softmaxOf } from "../analysis/softmax";
import { checkOptions, instance, list, optionsOf, text, whole } from "../core/options";
import { unnormalize } from "../data/pixels";
import { classColor } from "./classColor";
import type { ImageFigure, RgbImage } from "./image";
import { imageGrid } from "./imageGrid";
import { inGray } from "./maps";
import { cell, labels } from "./options";

export interface LensMapsOptions {
  /** Places, as the lens names them; default all. */
  sites?: readonly string[];
  /** In label order. */
  classNames?: readonly string[];
  /** Most images in a row; default 4. */
  columns?: number;
  /** Width of an image in pixels; default 168. */
  cell?: number;
}

const lensMapsOptions = optionsOf<LensMapsOptions>(
  {},
  { sites: list(text, 1), classNames: labels, columns: whole(1, 100), cell },
);

/** Most of its color that a patch takes on, where the head is sure. */
const STRONGEST = 0.85;

/**
 * What each patch says at each place, from `analysis.lens`: each class has a color, which is the stronger the surer the head
 * is of the patch. Below each place stands what the model would answer if it ended there; below all the colors of the classes
 * that are said.
 *
 * @throws LuvitError("bad-argument") for places that the lens did not look at.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const [maps] = await luvit.analysis.lens(model, images.subset([0]));
 * luvit.show(await luvit.figures.lensMaps(maps, { classNames: images.classes }));
 */
export async function lensMaps(maps: LensMaps, options: LensMapsOptions = {}): Promise<ImageFigure> {
  checkOptions("lensMaps", instance(LensMaps, "what analysis.lens gave for an image"), maps);
  checkOptions("lensMaps", lensMapsOptions, options);
  const all = maps.sites.map(({ site }) => site);
  expectLayers("lensMaps", options.sites, all);
  const sites = maps.sites.filter(({ site }) => options.sites?.includes(site) ?? true);
  const { classNames, columns = 4, cell = 168 } = options;
  const className = (label: number) => classNames?.[label] ?? `class ${label}`;
  const { image, ...shape } = maps.sample;
  const { width = Math.sqrt(image.length / 3), height = width } = shape;
  const gray = inGray(unnormalize(image, width, height));
  const cells = sites.map(({ site, pooled }) => {
    const chances = softmaxOf(pooled);
    const answer = chances.indexOf(Math.max(...chances));
    const caption = `${site}: ${className(answer)} ${(100 * chances[answer]!).toFixed(0)} %`;
    return { image: colored(gray, maps, site), caption };
  });
  const said = new Map<number, number>();
  for (const { site } of sites)
    for (const label of maps.labels(site)) said.set(label, (said.get(label) ?? 0) + 1);
  const most = [...said].sort((a, b) => b[1] - a[1]).slice(0, 12);
  const rows = Array.from({ length: Math.ceil(cells.length / columns) }, (_, row) =>
    cells.slice(row * columns, (row + 1) * columns),
  );
  return imageGrid(
    rows.map((row) => row.map(({ image }) => image)),
    {
      captions: rows.map((row) => row.map(({ caption }) => caption)),
      legend: most.map(([label]) => ({ name: className(label), color: classColor(label) })),
      cell,
      alt: `What patches say at ${sites.length} places; answers there: ${cells.map(({ caption }) => caption).join(", ")}`,
    },
  );
}

function colored({ data, width, height }: RgbImage, maps: LensMaps, site: string): RgbImage {
  const { rows, columns } = maps.grid;
  const said = Array.from({ length: rows * columns }, (_, patch) => maps.at(site, patch));
  const mixed = Uint8Array.from(data, (value, at) => {
    const pixel = Math.floor(at / 3);
    const row = Math.floor((Math.floor(pixel / width) * rows) / height);
    const { label, probability } = said[row * columns + Math.floor(((pixel % width) * columns) / width)]!;
    const weight = STRONGEST * probability;
    return Math.round((1 - weight) * value + weight * classColor(label)[at % 3]!);
  });
  return { data: mixed, width, height };
}
