import type { StateDict } from "../core/hostTensor";
import { object, oneOf, shaped, such, text, whole } from "../core/options";

/** Types that numbers are stored as. */
export const storedDtype = oneOf(["F32", "F16", "BF16"]);

export const plainObject = <T>(expected: string, isEntry: (entry: unknown) => boolean = () => true) =>
  such<T>(
    expected,
    (value) =>
      typeof value === "object" &&
      value !== null &&
      !Array.isArray(value) &&
      Object.values(value).every(isEntry),
  );

/** An Arrow table. */
export const arrowTable = shaped<never>("an Arrow table", "schema", "getChild", "numRows");

/** Tensors by name. */
export const tensorsField = such<StateDict>(
  "a Map of tensors by name",
  (value) =>
    value instanceof Map &&
    [...value].every(([name, tensor]) => typeof name === "string" && isTensor(tensor)),
);

const isTensor = (value: unknown) =>
  typeof value === "object" && value !== null && "shape" in value && "data" in value;

/** Number of a block, from 1. */
export const blockNumber = whole(1, 10_000);

/** Where something is read from. */
export const source = object({ path: text }, {});
