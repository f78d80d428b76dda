import { sharedRules } from "../../lower";
import { activations } from "./activations";
import { waiting } from "./after";
import type { Rules } from "./call";
import { convolutions } from "./convolutions";
import { elementwise } from "./elementwise";
import { images } from "./images";
import { indexing } from "./indexing";
import { matmul } from "./matmul";
import { norms } from "./norms";
import { reductions } from "./reductions";
import { shapes } from "./shapes";

/** How every op of a trace is written in ONNX, by the op's name. */
export const rules: Rules = {
  ...sharedRules,
  ...activations,
  ...convolutions,
  ...elementwise,
  ...indexing,
  ...matmul,
  ...norms,
  ...images,
  ...reductions,
  ...shapes,
  ...waiting,
};
