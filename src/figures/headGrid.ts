import type { Table } from "apache-arrow";
import { rowsOf } from "../analysis/provenance";
import { LuvitError } from "../core/errors";
import { groupBy } from "../core/groupBy";
import { checkOptions, optionsOf, shaped, text } from "../core/options";
import type { Figure } from "./figure";
import { heatmapGrid } from "./heatmapGrid";

/** What `headGrid` shows of a table. */
export interface HeadGridOptions {
  /** The column; default "marginDrop". */
  value?: string;
  /** With its unit, beside the color bar; default the column's name. */
  zTitle?: string;
  title?: string;
}

const headGridOptions = optionsOf<HeadGridOptions>({}, { value: text, zTitle: text, title: text });

/**
 * Layers by heads, colored by a column of a table with a row per layer and head: ablations, attention distances. The ViT's
 * layers and the language model's stand beside each other.
 *
 * @throws LuvitError("bad-argument") for a table without such columns.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const distances = await luvit.analysis.attentionDistances(model, images.take(2));
 * luvit.show(luvit.figures.headGrid(distances, { value: "distance", zTitle: "pixels" }));
 */
export function headGrid(table: Table, options: HeadGridOptions = {}): Figure {
  checkOptions("headGrid", shaped("an Arrow table", "schema", "numRows"), table);
  checkOptions("headGrid", headGridOptions, options);
  const { value = "marginDrop", zTitle = value, title } = options;
  const names = table.schema.fields.map(({ name }) => name);
  const absent = ["layer", "head", value].filter((name) => !names.includes(name));
  if (absent.length > 0 || table.numRows === 0) {
    const has = table.numRows === 0 ? "no row" : `columns ${names.join(", ")}`;
    throw new LuvitError(
      "bad-argument",
      `headGrid: the table has ${has}; expected ${["layer", "head", value].join(", ")}`,
    );
  }
  const rows = rowsOf(table) as { layer: string; head: number; [column: string]: unknown }[];
  const kinds = groupBy(rows, ({ layer }) => layer.replace(/\.?\d+$/, ""));
  const maps = [...kinds].map(([kind, own]) => ({
    title: kind,
    values: [...groupBy(own, ({ layer }) => layer).values()].map((heads) =>
      heads.sort((a, b) => a.head - b.head).map((row) => Number(row[value] ?? Number.NaN)),
    ),
  }));
  return heatmapGrid({ maps, zTitle, title, xTitle: "head", yTitle: "layer" });
}
