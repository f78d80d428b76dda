import { LuvitError } from "../../core/errors";
import { fileSource } from "./byteSource";

/** A JSON object; nothing is known about its values. */
export type JsonObject = Record<string, unknown>;

/** Config, index and state files are far smaller. */
const LARGEST_JSON = 64 * 2 ** 20;

/**
 * Reads a file that holds one JSON object.
 *
 * @throws LuvitError("missing-file" | "bad-file"): "missing-file" when it does not exist, "bad-file" when it holds
 * anything else.
 */
export async function readJsonObject(path: string): Promise<{ value: JsonObject; bytesRead: number }> {
  const source = await fileSource(path);
  try {
    if (source.size > LARGEST_JSON) throw new LuvitError("bad-file", `${path}: ${source.size} bytes of JSON`);
    const text = new TextDecoder().decode(await source.read(0, source.size));
    return { value: parseObject(path, text), bytesRead: source.size };
  } finally {
    await source.close();
  }
}

function parseObject(path: string, text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new LuvitError("bad-file", `${path}: not JSON (${(cause as Error).message})`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new LuvitError("bad-file", `${path}: expected a JSON object`);
  }
  return value as JsonObject;
}
