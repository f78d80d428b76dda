import { inspect } from "node:util";
import type { Table } from "apache-arrow";
import { LuvitError } from "../../core/errors";
import { checkOptions, instance, named, object, such } from "../../core/options";
import { textTable } from "../../core/textTable";
import { type CocoPrecision, type PublishedDetector, publishedDetectors } from "../paper";
import { resultTable } from "../provenance";
import { DetectionScores } from "./scores";

/** A detector of one's own: its scores of boxes, of masks, or of both. */
export interface OwnDetector {
  bbox?: DetectionScores;
  segm?: DetectionScores;
}

const scores = instance(DetectionScores, "what coco.evaluate gave");
const ownDetectors = named(object({}, { bbox: scores, segm: scores }));

/** A row: percent, of one's own or published. */
interface Row extends Omit<PublishedDetector, "code" | "bbox" | "segm"> {
  readonly code: string;
  readonly bbox?: Partial<CocoPrecision>;
  readonly segm?: Partial<CocoPrecision>;
}

const metrics = ["AP", "AP50", "AP75"] as const;

/** Own detectors beside the paper's Table 2 and beside detectron2's own. Prints as that table. */
export class Table2 {
  /** A row per detector: model, code, source, boxAP, boxAP50, boxAP75, maskAP, maskAP50, maskAP75 (percent, null where unknown). */
  readonly table: Table;

  constructor(private readonly rows: readonly Row[]) {
    checkOptions("Table2", such("rows, from coco.table2", Array.isArray), rows);
    const column = (kind: "bbox" | "segm", name: (typeof metrics)[number]) =>
      rows.map((row) => row[kind]?.[name] ?? null);
    const numbers = (["bbox", "segm"] as const).flatMap((kind) =>
      metrics.map((name) => [`${kind === "bbox" ? "box" : "mask"}${name}`, column(kind, name)] as const),
    );
    const words = (name: "model" | "code" | "source") => rows.map((row) => row[name]);
    const columns = { code: words("code"), source: words("source"), ...Object.fromEntries(numbers) };
    this.table = resultTable({ model: words("model"), ...columns }, { data: "COCO" });
  }

  toString(): string {
    const shown = (value: number | undefined) => (value === undefined ? "–" : value.toFixed(1));
    const lines = this.rows.map(({ model, code, source, bbox, segm }) => {
      const numbers = [bbox, segm].flatMap((kind) => metrics.map((name) => shown(kind?.[name])));
      return [model, ...numbers, code, source];
    });
    const head = ["detector", "box AP", "AP50", "AP75", "mask AP", "AP50", "AP75", "code", "source"];
    return `Table 2: ViTDet with Mask R-CNN on COCO's val2017, percent\n${textTable(head, lines)}`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * The rows of the paper's Table 2 with one's own below. Scores of another set than the 5000 images of val2017 with their 80
 * classes say so: they cannot be compared with the others.
 *
 * @throws LuvitError("bad-argument") for detectors without scores, and for scores of boxes given as those of masks.
 * @example
 * const truth = await luvit.coco.read("data/shapes/coco/annotations/instances_val.json");
 * const bbox = await luvit.coco.evaluate(truth, [], { kind: "bbox" });
 * console.log(luvit.coco.table2({ mine: { bbox } }));
 */
export function table2(own: Readonly<Record<string, OwnDetector>> = {}): Table2 {
  checkOptions("coco.table2", ownDetectors, own);
  return new Table2([...publishedDetectors, ...Object.entries(own).map(([name, one]) => ownRow(name, one))]);
}

function ownRow(name: string, { bbox, segm }: OwnDetector): Row {
  const wrong = bbox && bbox.kind !== "bbox" ? "bbox" : segm && segm.kind !== "segm" ? "segm" : undefined;
  if (wrong) throw new LuvitError("bad-argument", `coco.table2: ${wrong} of ${name} is of the other kind`);
  const any = bbox ?? segm;
  if (!any)
    throw new LuvitError("bad-argument", `coco.table2: ${name} has scores of neither boxes nor masks`);
  const isVal2017 = any.images === 5000 && any.classes.length === 80;
  const set = `${any.images} images, ${any.classes.length} classes`;
  const source = isVal2017 ? "own" : `own, not val2017: ${set}`;
  return { model: name, code: "luvit", source, bbox: percents(bbox), segm: percents(segm) };
}

function percents(scores: DetectionScores | undefined): Partial<CocoPrecision> | undefined {
  if (!scores) return undefined;
  const known = metrics.filter((name) => !Number.isNaN(scores.summary[name]));
  return Object.fromEntries(known.map((name) => [name, 100 * scores.summary[name]]));
}
