import type { GraphDtype } from "../ir";
import { broadcastShapes, positiveAxis, type ShapeRule, type ShapeRules } from "./rule";

const batchMatMul: ShapeRule = ({ inputs: { a, b }, attributes }) => {
  const [transposeA, transposeB] = [Boolean(attributes.transposeA), Boolean(attributes.transposeB)];
  const inOrder = (shape: readonly number[], transposed: boolean) => {
    const [first, second] = shape.slice(-2);
    return transposed ? [second, first] : [first, second];
  };
  const [[rows, inner], [otherInner, columns]] = [inOrder(a.shape, transposeA), inOrder(b.shape, transposeB)];
  if (inner !== otherInner) {
    throw new Error(`inner lengths ${inner} and ${otherInner} of [${a.shape}] and [${b.shape}] differ`);
  }
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const output = { shape: [...batch, rows, columns], dtype: a.dtype };
  return { outputs: [output], attributes: { transposeA, transposeB } };
};

const gather: ShapeRule = ({ inputs: { x, indices }, attributes }) => {
  const axis = positiveAxis((attributes.axis as number | undefined) ?? 0, x.shape.length);
  const batchDims = (attributes.batchDims as number | undefined) ?? 0;
  const shape = [...x.shape.slice(0, axis), ...indices.shape.slice(batchDims), ...x.shape.slice(axis + 1)];
  return { outputs: [{ shape, dtype: x.dtype }], attributes: { axis, batchDims } };
};

/** "abc,cd->abd": every letter one length. */
const einsum: ShapeRule = ({ list, attributes }) => {
  const [operands, result] = (attributes.equation as string).replace(/\s/g, "").split("->");
  const terms = operands.split(",");
  const lengths = new Map<string, number>();
  for (const [i, term] of terms.entries()) {
    if (term.length !== list[i]?.shape.length)
      throw new Error(`"${term}" does not name the axes of [${list[i]?.shape}]`);
    for (const [axis, letter] of [...term].entries()) {
      const length = list[i].shape[axis];
      if ((lengths.get(letter) ?? length) !== length) throw new Error(`axis "${letter}" has several lengths`);
      lengths.set(letter, length);
    }
  }
  const shape = [...(result ?? "")].map((letter) => lengths.get(letter));
  if (result === undefined || shape.includes(undefined)) throw new Error(`equation "${attributes.equation}"`);
  return { outputs: [{ shape: shape as number[], dtype: list[0].dtype }] };
};

const gatherNd: ShapeRule = ({ inputs: { params, indices } }) => {
  const taken = indices.shape[indices.shape.length - 1];
  const shape = [...indices.shape.slice(0, -1), ...params.shape.slice(taken)];
  return { outputs: [{ shape, dtype: params.dtype }] };
};

const scatterNd: ShapeRule = ({ inputs: { updates }, attributes: { shape } }) => ({
  outputs: [{ shape: shape as number[], dtype: updates.dtype }],
});

const unsortedSegmentSum: ShapeRule = ({ inputs: { x, segmentIds }, attributes: { numSegments } }) => ({
  outputs: [{ shape: [numSegments as number, ...x.shape.slice(segmentIds.shape.length)], dtype: x.dtype }],
});

const oneHot: ShapeRule = ({ inputs: { indices }, attributes }) => ({
  outputs: [
    {
      shape: [...indices.shape, attributes.depth as number],
      dtype: (attributes.dtype as GraphDtype | undefined) ?? "int32",
    },
  ],
});

const fill: ShapeRule = ({ attributes }) => {
  const { shape, value } = attributes as { shape: number[]; value: number };
  const dtype = (attributes.dtype as GraphDtype | undefined) ?? "float32";
  return { outputs: [{ shape, dtype }], attributes: { shape, value, dtype } };
};

const range: ShapeRule = ({ attributes }) => {
  const { start, stop, step } = attributes as { start: number; stop: number; step: number };
  const dtype = (attributes.dtype as GraphDtype | undefined) ?? "float32";
  return { outputs: [{ shape: [Math.max(0, Math.ceil((stop - start) / step))], dtype }] };
};

const linSpace: ShapeRule = ({ attributes: { num } }) => ({
  outputs: [{ shape: [num as number], dtype: "float32" }],
});

/** Products, look-ups, and kernels that make numbers from attributes alone. */
export const productRules: ShapeRules = {
  BatchMatMul: batchMatMul,
  Einsum: einsum,
  Fill: fill,
  GatherNd: gatherNd,
  GatherV2: gather,
  LinSpace: linSpace,
  OneHot: oneHot,
  Range: range,
  ScatterNd: scatterNd,
  UnsortedSegmentSum: unsortedSegmentSum,
};
