import { activations } from "./activations";
import { optimizer } from "./adamw";
import { waiting } from "./after";
import type { Rules } from "./call";
import { convolutions } from "./convolutions";
import { elementwise } from "./elementwise";
import { heads } from "./heads";
import { indexing } from "./indexing";
import { losses } from "./losses";
import { matmul } from "./matmul";
import { norms } from "./norms";
import { pictures } from "./pictures";
import { reductions } from "./reductions";
import { shapes } from "./shapes";

/** How every op of a trace is written in ONNX, by the op's name. */
export const rules: Rules = {
  ...activations,
  ...convolutions,
  ...elementwise,
  ...heads,
  ...indexing,
  ...losses,
  ...matmul,
  ...norms,
  ...optimizer,
  ...pictures,
  ...reductions,
  ...shapes,
  ...waiting,
};
