import type { GraphAttributes } from "../ir";

/** One axis under a window that slides along it. */
export interface SlidingWindow {
  /** Length of the axis before and after. */
  readonly length: number;
  readonly places: number;
  /** Places of the window's own. */
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  /** Zeros thought before and after the axis. */
  readonly before: number;
  readonly after: number;
}

type Padding = "same" | "valid" | number | readonly (readonly [number, number])[];

/** The windows along the height and the width of [B, H, W, C], as a kernel's attributes describe them. */
export function slidingWindows(
  x: readonly number[],
  size: readonly number[],
  { strides, dilations = 1, pad, dataFormat = "NHWC" }: GraphAttributes,
): [SlidingWindow, SlidingWindow] {
  if (dataFormat !== "NHWC") throw new Error(`data format ${dataFormat}, expected NHWC`);
  const [stride, dilation] = [pairOf(strides), pairOf(dilations)];
  const along = (axis: number) =>
    slidingWindow(x[axis + 1], size[axis], stride[axis], dilation[axis], pad as Padding, axis + 1);
  return [along(0), along(1)];
}

/** One number for both axes, or one for each. */
export function pairOf(value: unknown): [number, number] {
  return Array.isArray(value) ? (value as [number, number]) : [value as number, value as number];
}

function slidingWindow(
  length: number,
  size: number,
  stride: number,
  dilation: number,
  pad: Padding,
  axis: number,
): SlidingWindow {
  const reach = (size - 1) * dilation + 1;
  const [before, after] = padding(length, reach, stride, pad, axis);
  const places = Math.floor((length + before + after - reach) / stride) + 1;
  if (places < 1) throw new Error(`a window of ${reach} does not fit an axis of ${length}`);
  return { length, places, size, stride, dilation, before, after };
}

function padding(
  length: number,
  reach: number,
  stride: number,
  pad: Padding,
  axis: number,
): readonly [number, number] {
  if (pad === "valid") return [0, 0];
  if (typeof pad === "number") return [pad, pad];
  if (pad !== "same") return pad[axis];
  const total = Math.max((Math.ceil(length / stride) - 1) * stride + reach - length, 0);
  return [Math.floor(total / 2), total - Math.floor(total / 2)];
}
