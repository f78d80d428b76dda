import { isAbsolute, join } from "node:path";
import { inspect } from "node:util";
import type { Preprocessing } from "../../core/preprocessing";
import type { Rng } from "../../core/rng";
import { expectIndex, type ImageDataset, type Sample, type SkipReport, spreadIndices } from "../dataset";
import { BuiltInTransform, type ImageTransform } from "../imageTransform";
import { hereReader, type ImageReader, type PixelCache } from "../reading";
import { readOrReplace } from "../unreadable";
import type { ImageShard } from "./imageTable";
import type { RecentGroups } from "./recentGroups";

/** For each row of all shards together: its shard, its row there, the group it is read with, and its label, [N] each. */
export interface TableRows {
  readonly shard: Int32Array;
  readonly row: Int32Array;
  readonly group: Int32Array;
  readonly labels: Int32Array;
}

/** Groups whose rows are shuffled together. */
const groupsAtOnce = 8;

/** What a set of tables consists of; its views have all of it in common but the transform. */
export interface TableParts {
  readonly root: string;
  readonly classes: string[];
  readonly shards: readonly ImageShard[];
  readonly rows: TableRows;
  readonly transform: ImageTransform;
  readonly cache: PixelCache;
  readonly recent: RecentGroups;
  readonly report: SkipReport;
  /** Table files of the same folder that are in no split. */
  readonly notTaken: readonly string[];
}

/** Images in the rows of tables. Views made with `take`, `subset` and `withTransform` share memory and report. */
export class TableDataset implements ImageDataset {
  readonly root: string;
  readonly classes: string[];
  readonly shards: readonly ImageShard[];
  readonly rows: TableRows;
  readonly transform: ImageTransform;
  readonly cache: PixelCache;
  readonly recent: RecentGroups;
  readonly report: SkipReport;
  /** Table files of the same folder that are in no split. */
  readonly notTaken: readonly string[];

  /** `view` has the rows of this view, in order; all of them where absent. */
  constructor(
    private readonly parts: TableParts,
    private readonly view?: Int32Array,
  ) {
    this.root = parts.root;
    this.classes = parts.classes;
    this.shards = parts.shards;
    this.rows = parts.rows;
    this.transform = parts.transform;
    this.cache = parts.cache;
    this.recent = parts.recent;
    this.report = parts.report;
    this.notTaken = parts.notTaken;
  }

  get length(): number {
    return (this.view ?? this.rows.labels).length;
  }

  get size(): number {
    return this.transform.size;
  }

  get hasBytes(): boolean {
    return BuiltInTransform.hasBytes(this.transform);
  }

  get preprocessing(): Preprocessing | undefined {
    return this.transform.preprocessing;
  }

  /** `<shard>#<row>`, since images in tables are no files of their own. */
  path(index: number): string {
    const at = this.rowAt(index);
    return `${this.shards[this.rows.shard[at]].path}#${this.rows.row[at]}`;
  }

  label(index: number): number {
    return this.rows.labels[this.rowAt(index)];
  }

  /** Reads one image: image [3, size, size]. Others of their class replace unreadable ones; `report` names these. */
  load(index: number, rng: Rng, reader: ImageReader = hereReader): Promise<Sample> {
    return readOrReplace(this, index, async (at) => {
      const { cache, transform } = this;
      const stored = () => this.stored(this.rowAt(at));
      const path = this.path(at);
      const image = await reader.read({ path, stored, cache, transform, rng });
      return { image, label: this.label(at), path, index: at };
    });
  }

  /**
   * Groups in random order, the rows of eight at a time mixed: every group is read once per epoch while these eight fit
   * into memory.
   */
  shuffled(rng: Rng): Int32Array {
    const members = new Map<number, number[]>();
    for (let i = 0; i < this.length; i++) {
      const group = this.rows.group[this.rowAt(i)];
      const known = members.get(group);
      if (known) known.push(i);
      else members.set(group, [i]);
    }
    const groups = [...members.values()];
    const groupOrder = rng.fork("groups").permutation(groups.length);
    const order = new Int32Array(this.length);
    for (let first = 0, at = 0; first < groups.length; first += groupsAtOnce) {
      const rows = [...groupOrder.subarray(first, first + groupsAtOnce)].flatMap((group) => groups[group]);
      for (const i of rng.fork("rows", first).permutation(rows.length)) order[at++] = rows[i];
    }
    return order;
  }

  take(count: number): TableDataset {
    return this.subset(spreadIndices(this.length, count));
  }

  subset(indices: ArrayLike<number>): TableDataset {
    return new TableDataset(
      this.parts,
      Int32Array.from(indices, (index) => this.rowAt(index)),
    );
  }

  withTransform(transform: ImageTransform): TableDataset {
    return new TableDataset({ ...this.parts, transform }, this.view);
  }

  [inspect.custom](): string {
    const skipped = this.report.count > 0 ? `, ${this.report.count} unreadable` : "";
    const { name } = this.transform;
    const files = `${this.shards.length} file${this.shards.length === 1 ? "" : "s"}`;
    return `TableDataset(${this.root}) ${this.length} images in ${files}, ${this.classes.length} classes, ${name} ${this.size} px${skipped}${leftOut(this.notTaken)}`;
  }

  /** Bytes of a row's image, or its file, which may be named from the folder of the set. */
  private async stored(at: number): Promise<Uint8Array | string> {
    const image = await this.shards[this.rows.shard[at]].image(this.rows.row[at]);
    return typeof image !== "string" || isAbsolute(image) ? image : join(this.root, image);
  }

  private rowAt(index: number): number {
    expectIndex(index, this.length);
    return this.view ? this.view[index] : index;
  }
}

function leftOut(files: readonly string[]): string {
  if (files.length === 0) return "";
  const rest = files.length > 5 ? ` and ${files.length - 5} more` : "";
  return `, not taken: ${files.slice(0, 5).join(", ")}${rest}`;
}
