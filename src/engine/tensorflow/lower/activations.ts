import type { TfValue } from "./builder";
import { Call, type Rule, type Rules } from "./call";

const INVERSE_SQRT_2PI = 0.3989422804014327;

/** x Φ(x), with Φ(x) = (1 + erf(x / √2)) / 2. */
function gelu(call: Call): TfValue {
  const { ops } = call;
  const x = call.input("x");
  const shifted = ops.add(ops.unary("Erf", ops.mul(x, Math.SQRT1_2)), 1);
  return ops.mul(ops.mul(x, 0.5), shifted);
}

/**
 * dy (Φ(x) + x φ(x)). Nothing of the forward pass but x is used again: what waits for dy cannot be shared with it, so
 * it need not be kept until then.
 */
function geluGradient(call: Call): TfValue {
  const { ops } = call;
  const [x, dy] = [call.input("x"), call.input("dy")];
  const scaled = ops.mul(x, Math.SQRT1_2, { after: [dy] });
  const distribution = ops.add(ops.mul(ops.unary("Erf", scaled), 0.5), 0.5);
  const density = ops.mul(ops.unary("Exp", ops.unary("Neg", ops.unary("Square", scaled))), INVERSE_SQRT_2PI);
  return ops.mul(dy, ops.add(distribution, ops.mul(x, density)));
}

/** gate sigmoid(gate) up. */
function gatedSilu(call: Call): TfValue {
  const { ops } = call;
  const [gate, up] = [call.input("gate"), call.input("up")];
  return ops.mul(ops.mul(gate, ops.unary("Sigmoid", gate)), up);
}

/** dy up s (1 + gate (1 - s)), s = sigmoid(gate). */
function gatedSiluGateGradient(call: Call): TfValue {
  const { ops } = call;
  const [gate, up, dy] = ["gate", "up", "dy"].map((name) => call.input(name));
  const sigmoid = ops.unary("Sigmoid", gate, { after: [dy] });
  const slope = ops.mul(sigmoid, ops.add(ops.mul(gate, ops.sub(ops.scalar(1), sigmoid)), 1));
  return ops.mul(ops.mul(dy, up), slope);
}

/** Activations that cost little beside the products around them. */
const computedAnew: Readonly<Record<string, Rule>> = { LuvitGatedSilu: gatedSilu, LuvitGelu: gelu };

/**
 * What an activation gave, computed anew when `other` is there, in place of keeping it until then; undefined for a value
 * that is none, or was not computed from bfloat16.
 */
export function activationAnew({ scope, ops }: Call, id: number, other: number): TfValue | undefined {
  let node = scope.producerOf(id);
  while (node?.op === "Reshape") node = scope.producerOf(node.inputs[0]);
  const rule = node && computedAnew[node.op];
  if (!node || !rule || node.inputs.some((input) => scope.stored(input).dtype !== "bfloat16"))
    return undefined;
  // Its operands are copied to float32 when everything else the node takes is there.
  const later = { ...node, inputs: [...node.inputs, other], inputNames: [...node.inputNames, "after"] };
  return ops.reshape(rule(new Call(scope, later)) as TfValue, scope.typeOf(id).shape);
}

/** This library's activations. */
export const activations: Rules = {
  LuvitGatedSilu: gatedSilu,
  LuvitGatedSiluGateGradient: gatedSiluGateGradient,
  LuvitGelu: gelu,
  LuvitGeluGradient: geluGradient,
};
