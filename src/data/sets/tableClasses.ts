import { LuvitError, listOffenders } from "../../core/errors";
import { type Features, type ImageShard, notLabels, type StoredLabel } from "../tables";

/** Class names, and the label of every row of all shards together, [N]. */
export interface TableClasses {
  readonly classes: string[];
  readonly labels: Int32Array;
}

/** Without class names every number up to the largest is one, and every text. */
const mostClasses = 30_000;

/**
 * What the labels of some shards mean: class names that are declared, else texts in their order, false and true, or whole
 * numbers from 0.
 *
 * @throws LuvitError("bad-dataset") for labels that are no classes, or none of those that are declared.
 */
export function classesOf(source: string, shards: readonly ImageShard[], described: Features): TableClasses {
  const { label } = shards[0].columns;
  const rows = shards.reduce((sum, shard) => sum + shard.rows, 0);
  if (label === undefined) return { classes: ["image"], labels: new Int32Array(rows) };
  const what = `${source}, column ${label}`;
  const values = new Set(shards.flatMap(({ labels }) => labels?.values ?? []));
  if (rows > 0 && values.size === 1 && values.has(null)) {
    const hint = "give label: false to use the images alone";
    throw new LuvitError(
      "bad-dataset",
      `${source}: all ${rows} labels in column ${label} are empty; ${hint}`,
    );
  }
  expectWhole(what, shards);
  const classes = declaredNames(what, label, shards, described) ?? namesFrom(what, values);
  const byName = new Map<StoredLabel, number>(classes.map((name, i) => [name, i]));
  const labelFor = (value: StoredLabel) =>
    (typeof value === "string" ? byName.get(value) : value === null ? undefined : Number(value)) ?? -1;
  const labels = new Int32Array(rows);
  let at = 0;
  for (const { labels: column } of shards) {
    const known = column!.values.map(labelFor);
    for (const code of column!.codes) labels[at++] = known[code];
  }
  const wrong = rowsWith(shards, (value) => !(labelFor(value) >= 0 && labelFor(value) < classes.length));
  if (wrong.count === 0) return { classes, labels };
  const hint = "splits without labels hold -1: give label: false to use the images alone";
  throw new LuvitError(
    "bad-dataset",
    `${source}: ${wrong.count} labels in column ${label} are none of the ${classes.length} classes; ${hint}\n${listOffenders(wrong.lines)}`,
  );
}

function expectWhole(what: string, shards: readonly ImageShard[]): void {
  const { count, lines } = rowsWith(shards, (value) => typeof value === "number" && !Number.isInteger(value));
  if (count === 0) return;
  throw new LuvitError(
    "bad-dataset",
    `${notLabels(what, `hold ${count} numbers that are not whole`).message}\n${listOffenders(lines)}`,
  );
}

/** Names that the columns declare, which must be the same in every file. */
function declaredNames(
  what: string,
  label: string,
  shards: readonly ImageShard[],
  described: Features,
): string[] | undefined {
  const listed = described[label]?.names;
  if (Array.isArray(listed)) return [...listed];
  const all = shards.map(({ features }) => features[label]?.names);
  const [first] = all;
  const other = all.findIndex((names) => JSON.stringify(names) !== JSON.stringify(first));
  if (other < 0) return Array.isArray(first) ? [...first] : undefined;
  const lines = [shards[0], shards[other]].map(({ path, features }) => {
    const names = features[label]?.names ?? [];
    return `${path}: ${names.length} classes ${names.slice(0, 10).join(", ")}${names.length > 10 ? " …" : ""}`;
  });
  const hint = "give one of them, or a folder of files that belong together";
  throw new LuvitError(
    "bad-dataset",
    `${what}: files declare different classes; ${hint}\n${listOffenders(lines)}`,
  );
}

function namesFrom(what: string, values: ReadonlySet<StoredLabel>): string[] {
  const present = [...values].filter((value) => value !== null);
  const kinds = new Set(present.map((value) => typeof value));
  if (kinds.size > 1) throw notLabels(what, `are ${[...kinds].join("s and ")}s mixed`);
  if (kinds.has("boolean")) return ["false", "true"];
  const count = kinds.has("string")
    ? present.length
    : present.reduce<number>((a, b) => Math.max(a, Number(b) + 1), 0);
  if (count > mostClasses) {
    throw notLabels(what, kinds.has("string") ? `are ${count} different texts` : `go up to ${count - 1}`);
  }
  if (kinds.has("string")) return (present as string[]).sort();
  return Array.from({ length: count }, (_, i) => String(i));
}

/** How many rows have such a label, and lines about the first ones. */
function rowsWith(
  shards: readonly ImageShard[],
  isWanted: (value: StoredLabel) => boolean,
): { count: number; lines: string[] } {
  let count = 0;
  const lines: string[] = [];
  for (const { path, labels } of shards) {
    const wanted = labels!.values.map(isWanted);
    if (!wanted.includes(true)) continue;
    for (const [row, code] of labels!.codes.entries()) {
      if (wanted[code] && ++count <= 5) lines.push(`${path} row ${row}: ${labels!.values[code] ?? "empty"}`);
    }
  }
  return { count, lines };
}
