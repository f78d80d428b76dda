import type { StoredDtype } from "../../core/hostTensor";
import { type Dequantize, iq4nl, iq4xs, q2k, q3k, q4k, q5k, q6k, q40, q41, q50, q51, q80 } from "./blocks";

/** How a GGUF tensor's numbers are stored: in blocks of `elements` neighbors of a row, each `bytes` long. */
export interface GgufType {
  readonly name: string;
  readonly elements: number;
  readonly bytes: number;
  /** The plain type it is. */
  readonly stored?: StoredDtype;
  /** Blocks to numbers, for quantized types that can be read. */
  readonly dequantize?: Dequantize;
}

/** Number in the file, name, elements and bytes of a block. Reference: ggml.h `enum ggml_type`, ggml-common.h. */
const types: readonly (readonly [number, string, number, number, (StoredDtype | Dequantize)?])[] = [
  [0, "F32", 1, 4, "F32"],
  [1, "F16", 1, 2, "F16"],
  [2, "Q4_0", 32, 18, q40],
  [3, "Q4_1", 32, 20, q41],
  [6, "Q5_0", 32, 22, q50],
  [7, "Q5_1", 32, 24, q51],
  [8, "Q8_0", 32, 34, q80],
  [9, "Q8_1", 32, 36],
  [10, "Q2_K", 256, 84, q2k],
  [11, "Q3_K", 256, 110, q3k],
  [12, "Q4_K", 256, 144, q4k],
  [13, "Q5_K", 256, 176, q5k],
  [14, "Q6_K", 256, 210, q6k],
  [15, "Q8_K", 256, 292],
  [16, "IQ2_XXS", 256, 66],
  [17, "IQ2_XS", 256, 74],
  [18, "IQ3_XXS", 256, 98],
  [19, "IQ1_S", 256, 50],
  [20, "IQ4_NL", 32, 18, iq4nl],
  [21, "IQ3_S", 256, 110],
  [22, "IQ2_S", 256, 82],
  [23, "IQ4_XS", 256, 136, iq4xs],
  [24, "I8", 1, 1, "I8"],
  [25, "I16", 1, 2, "I16"],
  [26, "I32", 1, 4, "I32"],
  [27, "I64", 1, 8, "I64"],
  [28, "F64", 1, 8, "F64"],
  [29, "IQ1_M", 256, 56],
  [30, "BF16", 1, 2, "BF16"],
  [34, "TQ1_0", 256, 54],
  [35, "TQ2_0", 256, 66],
  [39, "MXFP4", 32, 17],
  [40, "NVFP4", 64, 36],
  [41, "Q1_0", 128, 18],
];

/** Every type by its number in the file. */
export const ggufTypes: ReadonlyMap<number, GgufType> = new Map(
  types.map(([number, name, elements, bytes, numbers]) => {
    const [stored, dequantize] = typeof numbers === "string" ? [numbers] : [undefined, numbers];
    return [number, { name, elements, bytes, stored, dequantize }];
  }),
);

/**
 * A type by its number in the file. One that is newer than this list has no known length: reading its tensors is an error,
 * their being there is not.
 */
export function ggufType(number: number): GgufType {
  return ggufTypes.get(number) ?? { name: `type ${number}`, elements: 1, bytes: 0 };
}

export function isReadable({ stored, dequantize }: GgufType): boolean {
  return stored !== undefined || dequantize !== undefined;
}

/** Names of the types that can be read. */
export const readableGgufTypes: readonly string[] = [...ggufTypes.values()]
  .filter(isReadable)
  .map(({ name }) => name);
