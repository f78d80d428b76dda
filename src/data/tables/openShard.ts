import { openArrowShard } from "./arrowShard";
import type { ColumnChoice, ImageShard } from "./imageTable";
import { openParquetShard } from "./parquetShard";
import type { RecentGroups } from "./recentGroups";
import { TableFile } from "./tableFile";

/**
 * Opens a file of rows with an image each. It is what its first bytes say, else what its name says.
 *
 * @throws LuvitError("bad-file") for a file that cannot be read, LuvitError("bad-dataset") for columns that it lacks.
 */
export function openShard(path: string, choose: ColumnChoice, recent: RecentGroups): Promise<ImageShard> {
  return TableFile.opened(path, async (file) => {
    const start = Buffer.from(await file.read(0, Math.min(6, file.size))).toString("latin1");
    const isArrow = start === "ARROW1" || start.startsWith("\xff\xff\xff\xff");
    const isParquet = start.startsWith("PAR1") || (!isArrow && path.endsWith(".parquet"));
    return isParquet ? openParquetShard(file, choose, recent) : openArrowShard(file, choose, recent);
  });
}
