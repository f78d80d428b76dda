import { sizeOf } from "../../../core/hostTensor";
import type { OnnxValue } from "../lower/builder";
import { WebgpuOps } from "../lower/webgpu/ops";
import { elementTypes, type OnnxDtype, type OnnxModel, type OnnxPort } from "../model";
import type { Chunk } from "./chunks";

/** Numbers a step feeds an update: what the schedule makes of them is worked out in double precision before. */
export interface UpdateNumbers {
  /** 1 - rate * weightDecay. */
  readonly keep: number;
  /** rate / (1 - beta1^t). */
  readonly step: number;
  /** 1 / sqrt(1 - beta2^t). */
  readonly inverseRoot: number;
  /** What the gradients are multiplied by. */
  readonly factor: number;
}

/** What a model is fed, or the form of a result. */
const port = (name: string, shape: readonly number[]): OnnxValue => ({ name, shape, dtype: "float32" });

function modelOf(
  name: string,
  ops: WebgpuOps,
  inputs: readonly OnnxValue[],
  results: readonly [name: string, value: OnnxValue][],
): OnnxModel {
  const renamed = new Map(results.map(([result, value]) => [value.name, result]));
  const rename = (names: readonly string[]) => names.map((value) => renamed.get(value) ?? value);
  const nodes = ops.nodes.map((node) => ({
    ...node,
    inputs: rename(node.inputs),
    outputs: rename(node.outputs),
  }));
  const outputs = results.map(([result, { shape }]) => port(result, shape));
  return { name, nodes, inputs, outputs, initializers: [...ops.initializers.values()] };
}

/** Results of an update, by what they replace. */
export const updated = (entry: string) => `${entry}'`;

/** Names of a chunk's state and operands in its models. */
export const operands = {
  average: "average",
  squares: "squares",
  gradients: "gradients",
  sums: "sums",
  numbers: "numbers",
} as const;

/**
 * One step of AdamW for a chunk: its parameters by name, average, squares and gradients [size], numbers [4] as in
 * `UpdateNumbers`; gives parameters, average and squares by `updated`.
 * Reference: torch/optim/adamw.py, _single_tensor_adamw.
 */
export function updateModel({ updates, starts, size }: Chunk): OnnxModel {
  const ops = new WebgpuOps();
  const { beta1, beta2, eps, weightDecay } = updates[0];
  const parameters = updates.map(({ parameter, shape }) => port(parameter, shape));
  const [average, squares, gradients] = [operands.average, operands.squares, operands.gradients].map((name) =>
    port(name, [size]),
  );
  const numbers = port(operands.numbers, [4]);
  const [keep, step, inverseRoot, factor] = ops.split(numbers, [1, 1, 1, 1], 0);

  const g = ops.mul(gradients, factor);
  const m = ops.add(ops.mul(average, beta1), ops.mul(g, 1 - beta1));
  const v = ops.add(ops.mul(squares, beta2), ops.mul(ops.square(g), 1 - beta2));
  const change = ops.div(ops.mul(m, step), ops.add(ops.mul(ops.sqrt(v), inverseRoot), eps));
  const rows = parameters.map((parameter) => ops.reshape(parameter, [sizeOf(parameter.shape)]));
  const old = ops.concat(rows, 0);
  const all = ops.sub(weightDecay === 0 ? old : ops.mul(old, keep), change);
  const results = parameters.map((parameter, i): [string, OnnxValue] => {
    const row = ops.slice(all, [starts[i]], [sizeOf(parameter.shape)]);
    return [updated(parameter.name), ops.reshape(row, parameter.shape)];
  });
  const moments: [string, OnnxValue][] = [
    [updated(operands.average), m],
    [updated(operands.squares), v],
  ];
  return modelOf(
    "update",
    ops,
    [...parameters, average, squares, gradients, numbers],
    [...results, ...moments],
  );
}

/** sums + gradients [size]. */
export function addModel({ size }: Chunk): OnnxModel {
  const ops = new WebgpuOps();
  const [sums, gradients] = [port(operands.sums, [size]), port(operands.gradients, [size])];
  return modelOf("add", ops, [sums, gradients], [[updated(operands.sums), ops.add(sums, gradients)]]);
}

/** Partial sums over so many squares keep their digits; the host adds them up in double precision. */
const ROW = 1024;

/**
 * Sums of squares of gradients [size], multiplied by `scale` before, a row of numbers at a time: "squares" [rows], the
 * last one of what is left.
 */
export function squaresModel({ size }: Chunk, scale = 1): OnnxModel {
  const ops = new WebgpuOps();
  const given = port(operands.gradients, [size]);
  const gradients = scale === 1 ? given : ops.mul(given, scale);
  const whole = size - (size % ROW);
  const parts: OnnxValue[] = [];
  if (whole > 0) {
    const rows = ops.reshape(ops.slice(gradients, [0], [whole]), [whole / ROW, ROW]);
    parts.push(ops.sum(ops.square(rows), [1], false));
  }
  if (whole < size) parts.push(ops.sum(ops.square(ops.slice(gradients, [whole], [size - whole])), [0], true));
  return modelOf("squares", ops, [given], [[operands.squares, ops.concat(parts, 0)]]);
}

/** zero [1] written out to [size]: what is fed cannot be worked out beforehand and kept in the model. */
export function zerosModel(size: number): OnnxModel {
  const ops = new WebgpuOps();
  const zero = port("zero", [1]);
  return modelOf("zeros", ops, [zero], [["zeros", ops.expand(zero, [size])]]);
}

/** Its operand, whatever its shape, in another element type: what crosses to the device or back goes through it. */
export function copyModel(from: OnnxDtype, to: OnnxDtype): OnnxModel<OnnxPort> {
  const [op, attributes] = from === to ? ["Identity", {}] : ["Cast", { to: elementTypes[to] }];
  return {
    name: "copy",
    nodes: [{ op, domain: "", inputs: ["x"], outputs: ["y"], attributes }],
    inputs: [{ name: "x", dtype: from }],
    outputs: [{ name: "y", dtype: to }],
    initializers: [],
  };
}
