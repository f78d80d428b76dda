import type { Table } from "apache-arrow";
import { backgroundShare } from "../../src/analysis/entropy";
import type { DrawingSet } from "../../src/data/toy";
import { tableOf } from "../../src/io/tables";
import type { Classifier } from "../../src/models/classifier";
import { ENGINE } from "../ablations/measures";
import { type EntropyKind, type RegionRow, regionEntropies, sharesOf } from "../core/regions";
import type { Measure } from "../core/study";

/** The number of Figure 2, by how the entropy of several heads is taken. */
export const metricOf = (kind: EntropyKind) => `background entropy above, ${kind} (% of images)`;

/** Shares of the image that an object covers, apart so that each third of the drawings is in one. */
const objectSizes = [
  { name: "small object, below 13 %", most: 0.13 },
  { name: "middle object, 13 to 20 %", most: 0.2 },
  { name: "large object, above 20 %", most: Number.POSITIVE_INFINITY },
] as const;

const sizeOf = (area: number) => objectSizes.find(({ most }) => area < most)!.name;

/** Shares of a model at every layer, for all images. */
export async function sharesByLayer(
  variant: string,
  model: Classifier,
  images: DrawingSet,
): Promise<Measure[]> {
  return measuresOf(variant, await regionEntropies(model, images, ENGINE), "");
}

/** Mean entropies of every image at the last ViT block and behind it, per head and then averaged: the points of Figure 2. */
export function pointsTable(variant: string, rows: readonly RegionRow[]): Table {
  const last = rows
    .map(({ layer }) => layer)
    .filter((layer) => layer.startsWith("blocks."))
    .at(-1);
  const isShown = (layer: string) => layer === last || !layer.startsWith("blocks.");
  const found = rows.filter(({ kind, layer }) => kind === "mean over heads" && isShown(layer));
  return tableOfPoints(found.map((row) => ({ variant, ...row })));
}

/** The rows of several such tables. */
export const joined = (tables: readonly Table[]): Table =>
  tableOfPoints(tables.flatMap((table) => table.toArray().map((row) => row.toJSON() as Point)));

type Point = Omit<RegionRow, "kind"> & { variant: string };

const tableOfPoints = (points: readonly Point[]): Table =>
  tableOf({
    variant: points.map(({ variant }) => variant),
    layer: points.map(({ layer }) => layer),
    index: points.map(({ index }) => index),
    foreground: points.map(({ foreground }) => foreground),
    background: points.map(({ background }) => background),
  });

/** Shares at every layer for all images, and apart for objects of different sizes and for each texture behind them. */
export function sharesByKind(variant: string, rows: readonly RegionRow[], images: DrawingSet): Measure[] {
  const facts = Array.from({ length: images.length }, (_, i) => images.facts(i));
  const groups = new Map<string, RegionRow[]>();
  for (const row of rows) {
    const { area, background } = facts[row.index];
    for (const name of [sizeOf(area), `before ${background}`]) {
      const group = groups.get(name);
      if (group) group.push(row);
      else groups.set(name, [row]);
    }
  }
  const parts = [...groups].sort(([a], [b]) => a.localeCompare(b));
  return [
    ...measuresOf(variant, rows, ""),
    ...parts.flatMap(([name, part]) => measuresOf(variant, part, name)),
  ];
}

/** `layer` is the layer's name, and behind it which images were counted. */
function measuresOf(variant: string, rows: readonly RegionRow[], images: string): Measure[] {
  const { counted } = backgroundShare(rows);
  if (counted === 0) return [];
  return sharesOf(rows).map(({ layer, kind, share }) => ({
    variant,
    metric: metricOf(kind),
    layer: images === "" ? layer : `${layer}, ${images}`,
    value: share,
  }));
}
