import { inspect } from "node:util";
import type { Table } from "apache-arrow";
import { listOffenders } from "../../core/errors";
import { checkOptions, partsWith } from "../../core/options";
import { textTable } from "../../core/textTable";
import { columnsOf, type Provenance, resultTable } from "../provenance";
import { answersTable } from "./answers";
import { type Metric, metricsOf, type SuiteAnswers } from "./metrics";

/** The numbers of a suite, or of as much of it as has been evaluated. Prints beside the paper's. */
export class SuiteResult {
  readonly metrics: readonly Metric[];
  /** A row per number: data, metric, value, images, tables, paperViT, paperLUViT; and the provenance. */
  readonly table: Table;
  private readonly byPart: SuiteAnswers;
  readonly provenance: Provenance;
  /** "a: images 512 to 1023": what has not been evaluated. */
  readonly missing: readonly string[];
  /** "shard 3/8 never came": where shards that were merged leave something missing. */
  readonly absent: readonly string[];
  /** Images that could not be read, by part. */
  readonly unreadable: Readonly<Record<string, number>>;
  /** Which they are and why, where that is known (to a suite that was run, not to shards that were merged). */
  readonly skipped: readonly string[];

  constructor(parts: {
    byPart: SuiteAnswers;
    provenance: Provenance /** Classes of the model. */;
    classes: number;
    missing: readonly string[];
    absent?: readonly string[];
    unreadable: Readonly<Record<string, number>>;
    skipped?: readonly string[];
  }) {
    checkOptions("SuiteResult", partsWith("byPart", "provenance", "missing", "unreadable"), parts);
    const { byPart, provenance, classes, missing, absent = [], unreadable, skipped = [] } = parts;
    this.byPart = byPart;
    this.provenance = provenance;
    this.missing = missing;
    this.absent = absent;
    this.unreadable = unreadable;
    this.skipped = skipped;

    this.metrics = metricsOf(byPart, { recipe: provenance.recipe, classes });
    const paper = (model: "ViT" | "LUViT") => this.metrics.map((metric) => metric.paper[model] ?? null);
    const columns = columnsOf(this.metrics, ["data", "metric", "value", "images", "tables"]);
    this.table = resultTable({ ...columns, paperViT: paper("ViT"), paperLUViT: paper("LUViT") }, provenance);
  }

  /** Everything has been evaluated. */
  get complete(): boolean {
    return this.missing.length === 0;
  }

  /** The parts that have answers: "in1k", "c/fog/3", "in9/original". */
  get parts(): string[] {
    return [...this.byPart.keys()];
  }

  /** A row per image of a part: index, label, prediction, inTop5, loss. */
  answers(part: string): Table {
    return answersTable([...(this.byPart.get(part)?.values() ?? [])].sort((a, b) => a.index - b.index));
  }

  toString(): string {
    const head = ["data", "metric", "%", "images", "table", "paper: ViT", "LUViT"];
    const number = (x: number | undefined) => (x === undefined ? "–" : x.toFixed(1));
    const rows = this.metrics.map(({ data, metric, value, images, tables, paper }) => [
      data,
      metric,
      number(value),
      String(images),
      tables,
      number(paper.ViT),
      number(paper.LUViT),
    ]);
    const { model, recipe, seed } = this.provenance;
    const about = [model, recipe, seed === undefined ? undefined : `seed ${seed}`]
      .filter(Boolean)
      .join(" · ");
    const unreadable = Object.entries(this.unreadable).map(([part, count]) => `${part}: ${count} unreadable`);
    const missing = this.complete
      ? ""
      : `not evaluated:\n${listOffenders([...this.absent, ...this.missing], 12)}`;
    const table = rows.length === 0 ? "no number is finished yet" : textTable(head, rows);
    const skipped = listOffenders(this.skipped, 12);
    return [about, table, ...unreadable, skipped, missing].filter(Boolean).join("\n");
  }

  [inspect.custom](): string {
    return this.toString();
  }
}
