import { LuvitError } from "../../core/errors";
import { readLabels, type StoredLabel } from "./arrowLabels";
import { type ColumnPlace, isStruct, layoutOf } from "./arrowLayout";
import { type BatchPlace, scanMessages } from "./arrowMessages";
import { openRuns, type RunColumn } from "./arrowRuns";
import { type ColumnChoice, featuresFrom, type PictureShard, pictureOf, reading } from "./pictureTable";
import type { RecentGroups } from "./recentGroups";

/**
 * Opens an Arrow stream or file with a picture column, struct {bytes, path} or binary: messages and labels now, then each
 * picture by the bytes that it lies in; pictures of a compressed batch together, which `recent` keeps. Throws "missing-file" or "bad-file".
 */
export function openArrowShard(
  path: string,
  choose: ColumnChoice,
  recent: RecentGroups,
): Promise<PictureShard> {
  return reading(path, "Arrow", async () => {
    const messages = await scanMessages(path);
    const { schema, batches } = messages;
    const layout = layoutOf(path, schema.fields);
    const features = featuresFrom(schema.metadata.get("huggingface"));
    const columns = choose(features);
    const { image, label } = columns;
    const place = (name: string) => layout.get(name) ?? missing(path, name, layout);
    const inStruct = isStruct(place(image).field);
    const bytesPlace = inStruct ? place(`${image}.bytes`) : place(image);
    const pathPlace = inStruct ? layout.get(`${image}.path`) : undefined;
    const labelPlace = label === undefined ? undefined : place(label);
    const groups = groupsOf(batches);
    const pictures: RunColumn[] = [];
    const paths: (RunColumn | undefined)[] = [];
    const labels: StoredLabel[] = [];
    for (const [index, batch] of batches.entries()) {
      pictures.push(await openRuns(path, batch, bytesPlace, recent));
      paths.push(pathPlace && (await openRuns(path, batch, pathPlace, recent)));
      if (!labelPlace) continue;
      for (const value of await readLabels(path, messages, index, labelPlace)) labels.push(value);
    }
    return {
      path,
      rows: groups.reduce((sum, { rows }) => sum + rows, 0),
      groups: groups.map(({ start }) => start),
      features,
      columns,
      labels: labelPlace && labels,
      async picture(row) {
        const index = groups.findIndex((group) => row < group.start + group.rows);
        const at = row - groups[index].start;
        const bytes = await pictures[index].read(at);
        const text = bytes ? undefined : await paths[index]?.read(at);
        return pictureOf(`${path} row ${row}`, bytes, text && Buffer.from(text).toString("utf8"));
      },
    };
  });
}

function groupsOf(batches: readonly BatchPlace[]): { start: number; rows: number }[] {
  let end = 0;
  return batches.map(({ rows }) => {
    end += rows;
    return { start: end - rows, rows };
  });
}

function missing(path: string, name: string, layout: ReadonlyMap<string, ColumnPlace>): never {
  const columns = [...layout.keys()].filter((key) => !key.includes("."));
  throw new LuvitError(
    "bad-dataset",
    `${path}: no column ${name}; its columns are ${columns.join(", ") || "none"}`,
  );
}
