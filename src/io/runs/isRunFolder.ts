import { existsSync } from "node:fs";
import { join } from "node:path";

/** Whether a path is a run's folder, or one of its checkpoints. */
export function isRunFolder(path: string): boolean {
  return ["metrics.jsonl", "state.json"].some((name) => existsSync(join(path, name)));
}
