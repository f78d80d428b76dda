import type { Exercise } from "../exercise";
import { attention } from "./attention";
import { dense } from "./dense";
import { entropy } from "./entropy";
import { llama } from "./llama";
import { llavit } from "./llavit";
import { luvit } from "./luvit";
import { masked } from "./masked";
import { paperSize } from "./paperSize";
import { robustness } from "./robustness";
import { tokens } from "./tokens";

/** All exercises, in the order of the course. */
export const exercises: readonly Exercise[] = [
  ...tokens,
  ...attention,
  ...masked,
  ...llama,
  ...luvit,
  ...entropy,
  ...robustness,
  ...dense,
  ...llavit,
  ...paperSize,
];
