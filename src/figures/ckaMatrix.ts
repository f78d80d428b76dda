import { LuvitError } from "../core/errors";
import { checkOptions, list, object, optionsOf } from "../core/options";
import type { Figure } from "./figure";
import { heatmapGrid } from "./heatmapGrid";
import { label, numbers } from "./options";

export interface CkaMatrixOptions {
  title?: string;
}

const given = object({ values: numbers, names: list(label, 1) }, {});
const matrixOptions = optionsOf<CkaMatrixOptions>({}, { title: label });

/**
 * Likeness of every pair of layers, or models, from `analysis.cka`, with their names on both sides.
 *
 * @throws LuvitError("bad-argument") where there are not as many names as rows.
 *
 * @example
 * const one = { values: Float32Array.of(1, 2, 3, 5), dim: 1 };
 * const other = { values: Float32Array.of(2, 1, 6, 9), dim: 1 };
 * luvit.show(luvit.figures.ckaMatrix(luvit.analysis.cka([one, other]), ["block 0", "block 1"]));
 */
export function ckaMatrix(
  values: ArrayLike<number>,
  names: readonly string[],
  options: CkaMatrixOptions = {},
): Figure {
  checkOptions("ckaMatrix", given, { values, names });
  checkOptions("ckaMatrix", matrixOptions, options);
  const side = names.length;
  if (values.length !== side * side) {
    const expected = `${side} names need ${side * side} numbers`;
    throw new LuvitError("bad-argument", `ckaMatrix: ${expected}, got ${values.length}`);
  }
  const rows = names.map((_, row) =>
    Array.from({ length: side }, (_, column) => values[row * side + column]!),
  );
  const least = Math.min(0, ...rows.flat());
  return heatmapGrid({
    maps: [{ title: "", values: rows }],
    labels: names,
    zTitle: "linear CKA",
    title: options.title,
    xTitle: "",
    yTitle: "",
    range: [least, 1],
    colormap: "viridis",
  });
}
