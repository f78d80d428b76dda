import type { HostTensor } from "../core/hostTensor";
import type { RgbImage } from "../figures/image";
import type { ArrowTable } from "./arrowDisplay";
import { jupyterDisplay } from "./symbols";
import type { TableRecord } from "./table";

/* Values are recognized here, and shown by modules that are loaded when one is there: kernels start without them. */

/** Whether a value is an image in memory. */
export function isRgbImage(value: unknown): value is RgbImage {
  if (typeof value !== "object" || value === null) return false;
  const { data, width, height } = value as Partial<RgbImage>;
  const isBytes = data instanceof Uint8Array || data instanceof Uint8ClampedArray;
  return isBytes && typeof width === "number" && data.length === 3 * width * (height ?? 0);
}

/** Whether a value is an Arrow table, of whichever copy of the library. */
export function isArrowTable(value: unknown): value is ArrowTable {
  if (typeof value !== "object" || value === null) return false;
  const { numRows, schema, get } = value as Partial<ArrowTable>;
  return typeof numRows === "number" && Array.isArray(schema?.fields) && typeof get === "function";
}

/** Whether a value is a tensor in memory. */
export function isHostTensor(value: unknown): value is HostTensor {
  if (typeof value !== "object" || value === null) return false;
  const { shape, data } = value as Partial<HostTensor>;
  return Array.isArray(shape) && data instanceof Float32Array;
}

/** Whether a value is a list of plain objects, which is best shown as a table. */
export function isRecords(value: unknown): value is TableRecord[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((entry) => isPlainObject(entry) && !("data" in entry && "layout" in entry))
  );
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== "object" || value === null || jupyterDisplay in value) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return (
    (prototype === Object.prototype || prototype === null) &&
    !((value as { png?: unknown }).png instanceof Uint8Array) &&
    !ArrayBuffer.isView((value as { data?: unknown }).data)
  );
}
