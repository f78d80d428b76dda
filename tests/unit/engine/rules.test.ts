import assert from "node:assert/strict";
import { test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import type { ArraysByName, TypedArray } from "../../../src/engine";
import { lowerGraph } from "../../../src/engine/onnx/lower";
import { rules as onnxRules } from "../../../src/engine/onnx/lower/rules";
import { webgpuRules } from "../../../src/engine/onnx/lower/webgpu/rules";
import { rules as tensorflowRules } from "../../../src/engine/tensorflow/lower/rules";
import type { GraphDtype, GraphValue } from "../../../src/graph/ir";
import { definedOps } from "../../../src/nn/ops/defineOp";
import "../../../src/nn";
import { assertClose, isLuvitError } from "../nn/support";
import { type KernelSample, kernelSamples } from "./kernelSamples";
import { compilingEngines, GraphWriter, openGraph, type TestedEngine } from "./support";
import { webgpu } from "./webgpu";

interface HostResult {
  shape: number[];
  dtype: GraphDtype;
  data: Float32Array;
}

const toHost = (tensor: Tensor): HostResult => ({
  shape: tensor.shape,
  dtype: tensor.dtype as GraphDtype,
  data: Float32Array.from(tensor.dataSync()),
});

/** What tfjs's own kernels in plain JavaScript make of a sample. */
function runEagerly(
  op: string,
  inputs: ReturnType<KernelSample["inputs"]>,
  attributes: object,
): HostResult[] {
  const result = tf.engine().runKernel(op, inputs as never, attributes as never) as unknown;
  return ([] as Tensor[]).concat(result as Tensor).map(toHost);
}

async function runLowered(
  engine: TestedEngine,
  op: string,
  { inputs, attributes = {} }: KernelSample,
  asConstants: boolean,
) {
  const writer = new GraphWriter();
  const given = inputs();
  const feeds: Record<string, TypedArray> = {};
  const declare = (name: string, tensor: Tensor): GraphValue => {
    const data = tensor.dataSync().slice() as TypedArray;
    if (asConstants) return writer.constant(data, tensor.shape, tensor.dtype as GraphDtype);
    feeds[name] = data;
    return writer.input(name, tensor.shape, tensor.dtype as GraphDtype);
  };
  const values = Array.isArray(given)
    ? given.map((tensor, i) => declare(`x${i}`, tensor))
    : Object.fromEntries(Object.entries(given).map(([name, tensor]) => [name, declare(name, tensor)]));
  const expected = runEagerly(op, given, attributes);
  const names = expected.map((_, i) => `result ${i}`);
  for (const [i, value] of writer.node(op, values, expected, attributes).entries())
    writer.output(names[i], value);
  return { expected, actual: await runOnce(engine, writer, feeds, names) };
}

async function runOnce(
  { open }: TestedEngine,
  writer: GraphWriter,
  feeds: ArraysByName,
  names: string[],
): Promise<Float32Array[]> {
  const executor = await openGraph(writer.finish(), {}, { threads: 1, open });
  try {
    const results = await executor.run("step", feeds);
    return names.map((name) => results[name]);
  } finally {
    await executor.dispose();
  }
}

/** The same call with every float operand one number: what a uniform constant becomes. */
const uniform = ({ inputs, ...rest }: KernelSample): KernelSample => ({
  ...rest,
  inputs: () => {
    const flat = (tensor: Tensor, i: number) =>
      tensor.dtype === "float32" ? tf.fill(tensor.shape, 0.75 - 0.25 * i) : tensor;
    const given = inputs();
    if (Array.isArray(given)) return given.map(flat);
    return Object.fromEntries(Object.entries(given).map(([name, tensor], i) => [name, flat(tensor, i)]));
  },
});

for (const [engine, rules] of [
  ["onnxruntime", onnxRules],
  ["tensorflow", tensorflowRules],
] as const) {
  test(`${engine}: every op sampled here and every op of this library has a rule, every rule a sample`, () => {
    const missing = (from: Iterable<string>, has: (op: string) => boolean) =>
      [...from].filter((op) => !has(op));
    assert.deepEqual(
      missing(Object.keys(rules), (op) => kernelSamples.has(op)),
      [],
    );
    const written = (op: string) => Object.hasOwn(rules, op);
    assert.deepEqual(missing([...definedOps.keys(), ...kernelSamples.keys()], written), []);
  });
}

/** What cannot be had where WebGPU computes; src/engine/onnx/lower/webgpu/rules.ts says why. */
const notOnWebgpu = ["IsFinite", "IsInf", "IsNan", "MaxPoolGrad", "TopK"];

test("onnxruntime webgpu has every rule but those that are named here, and refuses these by name", async () => {
  const missing = Object.keys(onnxRules).filter((op) => !Object.hasOwn(webgpuRules, op));
  assert.deepEqual(missing.sort(), notOnWebgpu);
  const writer = new GraphWriter();
  const x = writer.input("x", [2, 3]);
  const results = [{ shape: [2, 2] as number[] }, { shape: [2, 2] as number[], dtype: "int32" as const }];
  writer.output("y", writer.node("TopK", { x }, results, { k: 2, sorted: true })[0]);
  const graph = writer.finish();
  assert.throws(
    () => lowerGraph(graph, { provider: "webgpu" }),
    isLuvitError("engine", "webgpu", "TopK", 'provider "cpu"'),
  );
});

async function compareWithTfjs(engine: TestedEngine, op: string, samples: readonly KernelSample[]) {
  await startBackend({ backend: "cpu" });
  for (const [i, sample] of samples.entries()) {
    for (const [how, variant, asConstants] of [
      ["", sample, false],
      [" of constants", sample, true],
      [" of uniform constants", uniform(sample), true],
    ] as const) {
      const { actual, expected } = await runLowered(engine, op, variant, asConstants);
      for (const [j, { data }] of expected.entries()) {
        const finite = data.map((x) => (Number.isFinite(x) ? x : 0));
        const found = actual[j].map((x, k) => (Object.is(x, data[k]) && !Number.isFinite(x) ? 0 : x));
        assertClose(found, finite, sample.tolerance ?? 2e-6, `sample ${i}${how}, result ${j}`);
      }
    }
  }
}

for (const engine of [...compilingEngines, webgpu]) {
  for (const [op, samples] of kernelSamples) {
    if (engine === webgpu && notOnWebgpu.includes(op)) continue;
    test(`${op} in ${engine.title} does what tfjs does`, engine.options, () =>
      compareWithTfjs(engine, op, samples),
    );
  }
}
