import { number, object, whole } from "../core/options";

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
export const normSizes = object({ dim: width }, { eps: epsilon });
