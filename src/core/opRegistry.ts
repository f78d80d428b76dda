/** Shape and element type of an operand or result of one of this library's own ops. */
export interface OpValue {
  shape: number[];
  dtype: "float32" | "int32";
}

/** What may be known of an op without running it. */
export interface OpRule {
  /** Names of the operands, in order; one that a call leaves out is optional. */
  readonly inputs: readonly string[];
  /** Shapes of the results from the shapes of the operands. */
  outputs(inputs: Record<string, OpValue>, attributes: object): OpValue[];
}

/** Rules of the ops this library defines itself, by kernel name. Whoever defines an op enters it; tracers look here. */
export const ownOpRules = new Map<string, OpRule>();
