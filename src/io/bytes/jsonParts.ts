import { LuvitError } from "../../core/errors";
import { fileSource } from "./byteSource";
import { foreignStart } from "./foreignStart";
import { JsonSplitter, type PartUse } from "./jsonSplitter";

const CHUNK = 4 * 2 ** 20;

/**
 * Reads a JSON file of any size entry by entry: the entries of the lists that lie in the outermost object, or of the
 * outermost list, and every other value of the outermost object as a whole. Not more than one entry is kept.
 *
 * @throws LuvitError("missing-file" | "bad-file") naming where the file stops being JSON.
 */
export async function forEachJsonPart(path: string, use: PartUse): Promise<void> {
  const source = await fileSource(path);
  try {
    const splitter = new JsonSplitter(use);
    for (let at = 0; at < source.size; at += CHUNK) {
      const bytes = await source.read(at, Math.min(source.size, at + CHUNK));
      const foreign = at === 0 ? foreignStart(bytes) : undefined;
      if (foreign) throw new LuvitError("bad-file", `not JSON but ${foreign}`);
      splitter.push(bytes);
    }
    splitter.end();
  } catch (error) {
    if (!(error instanceof LuvitError) || error.message.startsWith(path)) throw error;
    throw new LuvitError(error.code, `${path}: ${error.message}`, { cause: error });
  } finally {
    await source.close();
  }
}
