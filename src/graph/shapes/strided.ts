import type { GraphAttributes } from "../ir";

/** What a strided slice takes of each axis, and the shape in which it gives it. */
export interface StridedSlice {
  readonly begin: readonly number[];
  readonly strides: readonly number[];
  /** Numbers taken along each axis. */
  readonly lengths: readonly number[];
  /** The lengths without axes that shrink away, with new ones of length 1. */
  readonly shape: readonly number[];
}

/** Reference: the documentation of tf.stridedSlice and its five bit masks, bit i for entry i of begin, end and strides. */
export function stridedSlice(shape: readonly number[], attributes: GraphAttributes): StridedSlice {
  const { begin, end, strides } = attributes as Record<string, number[]>;
  const has = (mask: string, i: number) => (((attributes[mask] as number | undefined) ?? 0) & (1 << i)) !== 0;
  const taking = begin.filter((_, i) => !has("newAxisMask", i) && !has("ellipsisMask", i)).length;
  const taken = { begin: [] as number[], strides: [] as number[], lengths: [] as number[] };
  const result: number[] = [];
  const take = (from: number, stride: number, length: number) => {
    taken.begin.push(from);
    taken.strides.push(stride);
    taken.lengths.push(length);
  };
  const takeWhole = (axes: number) => {
    for (let i = 0; i < axes; i++) {
      const length = shape[taken.begin.length];
      take(0, 1, length);
      result.push(length);
    }
  };
  for (const [i, stride] of strides.entries()) {
    if (has("ellipsisMask", i)) takeWhole(shape.length - taking);
    else if (has("newAxisMask", i)) result.push(1);
    else {
      const length = shape[taken.begin.length];
      if (has("shrinkAxisMask", i)) {
        take(fromFront(begin[i], length), 1, 1);
        continue;
      }
      const from = has("beginMask", i) ? edge(-stride, length) : clamped(begin[i], stride, length);
      const to = has("endMask", i)
        ? edge(stride, length) + Math.sign(stride)
        : clamped(end[i], stride, length);
      take(from, stride, Math.max(0, Math.ceil((to - from) / stride)));
      result.push(taken.lengths[taken.lengths.length - 1]);
    }
  }
  takeWhole(shape.length - taken.begin.length);
  return { ...taken, shape: result };
}

const fromFront = (place: number, length: number) => (place < 0 ? place + length : place);

/** The last place in the direction of a stride. */
const edge = (stride: number, length: number) => (stride > 0 ? length - 1 : 0);

/** A place no further out than one behind either end. */
function clamped(place: number, stride: number, length: number): number {
  const [lowest, highest] = stride > 0 ? [0, length] : [-1, length - 1];
  return Math.min(Math.max(fromFront(place, length), lowest), highest);
}
