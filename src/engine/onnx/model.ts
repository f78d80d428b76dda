/** Element types used here, by ONNX's number (`TensorProto.DataType`). */
export const elementTypes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
} as const;

export type OnnxDtype = keyof typeof elementTypes;

/** An attribute: an integer, integers or a text as they are; a float says so, since `1` alone would be an integer. */
export type OnnxAttribute = number | readonly number[] | string | { readonly float: number };

export type OnnxAttributes = Readonly<Record<string, OnnxAttribute>>;

/** One operator call. An optional input that is left out, or an output nobody asks for, has the name "". */
export interface OnnxNode {
  readonly op: string;
  /** "" is ONNX itself, "com.microsoft" what onnxruntime adds. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: OnnxAttributes;
}

/** What a model takes or gives. */
export interface OnnxPort {
  readonly name: string;
  /** Left out where any will do. */
  readonly shape?: readonly number[];
  readonly dtype: OnnxDtype;
}

export interface OnnxValueInfo extends OnnxPort {
  readonly shape: readonly number[];
}

/** Numbers written into the model. */
export interface OnnxInitializer extends OnnxValueInfo {
  /** float16 numbers as their bits. */
  readonly data: Float32Array | Int32Array | BigInt64Array | Uint8Array | Uint16Array;
}

export interface OnnxModel<Port extends OnnxPort = OnnxValueInfo> {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly initializers: readonly OnnxInitializer[];
}
