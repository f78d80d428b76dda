import { existsSync } from "node:fs";
import { join } from "node:path";
import { checkOptions, path as placeField } from "../../core/options";

/** Whether a path is a run's folder, or one of its checkpoints. */
export function isRunFolder(path: string): boolean {
  checkOptions("isRunFolder", placeField, path);
  return ["metrics.jsonl", "state.json"].some((name) => existsSync(join(path, name)));
}
