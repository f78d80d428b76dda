import { entry, oneOf, optionsOf } from "../core/options";
import type { OptimiseOptions } from "./passes";

export const optimiseOptions = optionsOf<OptimiseOptions>(
  {},
  {
    memory: entry(
      oneOf(["keep", "recompute"]),
      "blocks again instead of keeping what they computed",
      "recompute",
    ),
  },
);
