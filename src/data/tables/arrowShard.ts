import { isStruct } from "./arrowFields";
import { ArrowLabels } from "./arrowLabels";
import { ArrowLayout } from "./arrowLayout";
import { type ArrowMessages, scanMessages } from "./arrowMessages";
import { openRuns, type RunColumn, readValidity } from "./arrowRuns";
import {
  type ColumnChoice,
  expectRowCount,
  featuresFrom,
  groupAt,
  type ImageShard,
  imageOf,
} from "./imageTable";
import { LabelColumn } from "./labelColumn";
import type { RecentGroups } from "./recentGroups";
import { reading, type TableFile } from "./tableFile";

/** Where the images of a batch are. */
interface ImageColumns {
  /** Which rows are there. */
  readonly present: (row: number) => boolean;
  readonly bytes: RunColumn;
  readonly paths?: RunColumn;
}

/**
 * Opens an Arrow stream or file with an image column, struct {bytes, path} or binary: messages and labels now, then each
 * image by the bytes that it lies in; images of a compressed batch together, which `recent` keeps. Columns that
 * nobody asks for may be of any type.
 *
 * @throws LuvitError("missing-file" | "bad-file")
 */
export function openArrowShard(
  file: TableFile,
  choose: ColumnChoice,
  recent: RecentGroups,
): Promise<ImageShard> {
  const { path } = file;
  return reading(path, "Arrow", async () => {
    const messages = await scanMessages(file);
    const { starts, rows } = groupsOf(messages);
    expectRowCount(path, rows, file.size);
    const features = featuresFrom(messages.schema.metadata.get("huggingface"));
    const columns = choose(features);
    const { image, label } = columns;
    const labels = label === undefined ? undefined : new LabelColumn(rows, `${path}, column ${label}`);
    const stored = new ArrowLabels(file, messages);
    const images: ImageColumns[] = [];
    for (const [index, batch] of messages.batches.entries()) {
      const layout = new ArrowLayout(path, messages.schema.fields, batch.dataBuffers);
      const column = layout.place(image);
      const inStruct = isStruct(column.field);
      const bytes = inStruct ? layout.place(`${image}.bytes`) : column;
      const paths = inStruct ? layout.find(`${image}.path`) : undefined;
      images.push({
        present: await readValidity(file, batch, column),
        bytes: await openRuns(file, batch, bytes, recent),
        paths: paths && (await openRuns(file, batch, paths, recent)),
      });
      if (labels) labels.add(await stored.next(index, layout.place(label!)));
    }
    return {
      path,
      rows,
      groups: starts,
      features,
      columns,
      labels,
      async image(row) {
        const index = groupAt(starts, row);
        const at = row - starts[index];
        const { present, bytes: column, paths } = images[index];
        const bytes = present(at) ? await column.read(at) : undefined;
        const text = !present(at) || bytes?.length ? undefined : await paths?.read(at);
        return imageOf(`${path} row ${row}`, bytes, text && Buffer.from(text).toString("utf8"));
      },
    };
  });
}

function groupsOf({ batches }: ArrowMessages): { starts: number[]; rows: number } {
  let rows = 0;
  const starts = batches.map((batch) => {
    rows += batch.rows;
    return rows - batch.rows;
  });
  return { starts, rows };
}
