import { callback, flag, list, number, object, optionsOf, text, whole } from "../core/options";
import { engineOptions } from "../engine/options";
import { optimiseOptions } from "../graph/options";
import type { AttentionOptions } from "./attention";
import type { CompileOptions } from "./compile";
import type { LinearOptions } from "./layers";
import type { LoadOptions } from "./loadStateDict";

/** Widest vector of a model. */
const MOST_WIDTH = 1_000_000;

/** Width of a vector of a model. */
export const width = whole(1, MOST_WIDTH);
/** Attention heads. */
export const headCount = whole(1, 4096);
/** Added to a variance before its root is taken. */
export const epsilon = number(0, 1, true);

/** A width that is divided among heads. */
export const headsOfWidth = object({ width, heads: headCount }, {}, ({ width: wide = 0, heads = 1 }) =>
  wide % heads === 0 ? [] : [["heads", `a divisor of the width ${wide}`]],
);

export const linearSizes = object({ inputs: width, outputs: width }, {});
export const linearOptions = optionsOf<LinearOptions>({}, { bias: flag, initialize: callback() });
export const normSizes = object({ dim: width }, { eps: epsilon });

export const attentionOptions = optionsOf<AttentionOptions>(
  {},
  { causal: flag, window: whole(1), tap: callback(), tapName: text },
);

export const loadOptions = optionsOf<LoadOptions>(
  {},
  { only: text, allowMissing: list(text), allowUnexpected: list(text), source: text, notes: list(text) },
);

export const compileOptions = optionsOf<CompileOptions>(
  {},
  { ...engineOptions.optional, ...optimiseOptions.optional, guard: text },
);
