import { entry, object, text } from "../core/options";
import { engineOptions } from "../engine/options";
import { optimizeOptions } from "../graph/passes";

/*
 * What configurations of several commands have in common.
 */

/** What only the API has, or the file says elsewhere. */
export const elsewhere = [
  ...(["engine", "precision", "threads", "provider", "frozen", "memory"] as const),
  ...(["out", "resume", "name", "recipe"] as const),
] as const;

export const out = entry(
  text,
  "folder for checkpoints, metrics and results; from the place of this file",
  "runs/mine",
);

export const trainingEngine = entry(
  object({}, { ...engineOptions.optional, ...optimizeOptions.optional }),
  "what it runs on",
);

export const engine = entry(engineOptions, "what it runs on");
