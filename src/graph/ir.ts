/** Element types of a graph's values. */
export type GraphDtype = "float32" | "int32" | "bool";

/** A tensor that flows through a graph; shapes are static. */
export interface GraphValue {
  readonly id: number;
  readonly shape: readonly number[];
  readonly dtype: GraphDtype;
}

/** Attributes of a node: plain data, as the tfjs kernel of the same name takes them. */
export type GraphAttributes = Readonly<Record<string, unknown>>;

/** One kernel call. `op` is a tfjs kernel name ("BatchMatMul") or one of this library's own ("LuvitGelu"). */
export interface GraphNode {
  readonly op: string;
  /** Ids of the operands, in the order of the kernel's inputs; a list input (Concat, Pack) contributes each member. */
  readonly inputs: readonly number[];
  /** Names of the kernel's inputs, one per operand; members of a list input repeat the name. */
  readonly inputNames: readonly string[];
  readonly outputs: readonly GraphValue[];
  readonly attributes: GraphAttributes;
  /** The block whose forward pass it belongs to, e.g. "blocks.3" (see `inBlock`). */
  readonly block?: string;
}

/** Numbers known when the graph was traced. A uniform constant holds a single number whatever its shape. */
export interface GraphConstant {
  readonly value: GraphValue;
  readonly data: Float32Array | Int32Array | Uint8Array;
}

/** Something fed at every run (a batch) or kept by the executor between runs (a parameter, a moment). */
export interface GraphInput {
  /** "images", or a parameter path such as "blocks.0.attn.qkv.weight". */
  readonly name: string;
  readonly value: GraphValue;
  /** Whether its float32 numbers are bytes, 0 to 255, which are fed as such. */
  readonly isBytes?: boolean;
}

/** A result by name: "loss", or the new value of the state entry of the same name. */
export interface GraphOutput {
  readonly name: string;
  readonly id: number;
}

/** A traced function: forward, gradients and update of a training step, or any other computation written in tfjs. */
export interface Graph {
  readonly name: string;
  /** Fed at every run. */
  readonly inputs: readonly GraphInput[];
  /** Kept by the executor; entries without an output of the same name never change (frozen weights). */
  readonly state: readonly GraphInput[];
  readonly constants: readonly GraphConstant[];
  /** In an order in which every operand is defined before it is used. */
  readonly nodes: readonly GraphNode[];
  readonly outputs: readonly GraphOutput[];
}
