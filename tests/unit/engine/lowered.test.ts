import { before, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { splitUpdates } from "../../../src/engine/adamw/splitUpdates";
import { lowerGraph, type Target } from "../../../src/engine/onnx/lower";
import { webgpuRules } from "../../../src/engine/onnx/lower/webgpu/rules";
import type { OnnxModel } from "../../../src/engine/onnx/model";
import { lowerGraph as lowerForTensorflow } from "../../../src/engine/tensorflow/lower";
import type { TfValue } from "../../../src/engine/tensorflow/lower/builder";
import { TfOps } from "../../../src/engine/tensorflow/lower/ops";
import { type Graph, optimize } from "../../../src/graph";
import type { GraphDtype, GraphValue } from "../../../src/graph/ir";
import { create as createClassifier } from "../../../src/models/classifier";
import { through } from "../../../src/models/fusion";
import * as lora from "../../../src/models/lora";
import { MaskedAutoencoder } from "../../../src/models/mae";
import { softTargetCrossEntropy } from "../../../src/nn/losses";
import { finetuneRules, pretrainRules } from "../../../src/optim/groups";
import { approve } from "../../support/approved";
import { type StepSpec, traceStep } from "../graph/support";
import { tinyBlock, tinyDecoder, tinyViT } from "../models/support";
import { type KernelSample, kernelSamples } from "./kernelSamples";
import { GraphWriter } from "./support";

/*
 * What every op becomes for every engine, node by node. That it computes the right numbers is tested beside this
 * (rules.test.ts) where the engine is installed; here is seen that it becomes no more nodes than it needs.
 */

before(() => startBackend({ backend: "cpu" }));

const short = (value: unknown) => {
  const text = JSON.stringify(value, (_, entry) =>
    ArrayBuffer.isView(entry) ? Array.from(entry as Float32Array) : entry,
  );
  return text.length > 160 ? `${text.slice(0, 160)}…` : text;
};

function numbersOf(data: ArrayLike<number | bigint>): string {
  const all = Array.from(data, Number);
  const some = all.slice(0, 12).map((x) => (Number.isInteger(x) ? String(x) : x.toPrecision(5)));
  return `${some.join(" ")}${all.length > 12 ? " …" : ""}`;
}

function onnxLines({ nodes, inputs, outputs, initializers }: OnnxModel): string[] {
  const port = ({ name, dtype, shape }: { name: string; dtype: string; shape: readonly number[] }) =>
    `${name} ${dtype} [${shape}]`;
  return [
    `in ${inputs.map(port).join(", ")}`,
    ...initializers.map((one) => `stored ${port(one)}: ${numbersOf(one.data as Float32Array)}`),
    ...nodes.map(
      ({ op, domain, inputs: from, outputs: to, attributes }) =>
        `${domain ? "ms." : ""}${op}(${from.join(", ")}) ${short(attributes)} -> ${to.join(", ")}`,
    ),
    `out ${outputs.map(port).join(", ")}`,
  ];
}

function tensorflowLines(graph: Graph, products: "float32" | "bfloat16"): string[] {
  const ops = new TfOps();
  const given = new Map<string, TfValue>(
    [...graph.inputs, ...graph.state].map(({ name, value }) => [
      name,
      { name: `${name}:0`, shape: value.shape, dtype: value.dtype },
    ]),
  );
  const outputs = lowerForTensorflow(ops, graph, (name) => given.get(name)!, products);
  return [
    ...ops.nodes.map(
      ({ name, op, inputs, attributes }) => `${name} ${op}(${inputs.join(", ")}) ${short(attributes)}`,
    ),
    `out ${[...outputs].map(([name, value]) => `${name} ${value.name} ${value.dtype} [${value.shape}]`).join(", ")}`,
  ];
}

function graphOf(op: string, { inputs, attributes = {} }: KernelSample): Graph {
  const writer = new GraphWriter();
  const given = inputs();
  const declare = (name: string, { shape, dtype }: Tensor): GraphValue =>
    writer.input(name, shape, dtype as GraphDtype);
  const values = Array.isArray(given)
    ? given.map((tensor, i) => declare(`x${i}`, tensor))
    : Object.fromEntries(Object.entries(given).map(([name, tensor]) => [name, declare(name, tensor)]));
  const results = ([] as Tensor[]).concat(
    tf.engine().runKernel(op, given as never, attributes as never) as never,
  );
  const types = results.map(({ shape, dtype }) => ({ shape, dtype: dtype as GraphDtype }));
  for (const [i, value] of writer.node(op, values, types, attributes as never).entries())
    writer.output(`y${i}`, value);
  return writer.finish();
}

/** Lines of a graph for an engine; those it refuses say so. */
function attempt(head: string, lines: () => string[]): string[] {
  try {
    return [`-- ${head}`, ...lines()];
  } catch (error) {
    return [`-- ${head}: ${(error as Error).message.split("\n")[0]}`];
  }
}

const targets: Record<string, Target> = {
  cpu: {},
  "cpu, float16": { products: "float16" },
  webgpu: { provider: "webgpu" },
};

function everyEngine(graph: Graph): string[] {
  return [
    ...Object.entries(targets).flatMap(([name, target]) =>
      attempt(name, () => onnxLines(lowerGraph(graph, target).model)),
    ),
    ...attempt("tensorflow", () => tensorflowLines(graph, "float32")),
    ...attempt("tensorflow, bfloat16", () => tensorflowLines(graph, "bfloat16")),
  ];
}

/** Targets that add nothing to the first are left out. */
function distinct(lines: readonly string[]): string[] {
  const blocks = lines
    .join("\n")
    .split(/^(?=-- )/m)
    .map((block) => block.trimEnd().split("\n"));
  const seen = new Map<string, string>();
  return blocks.flatMap(([head, ...body]) => {
    const same = seen.get(body.join("\n"));
    if (same !== undefined && body.length > 0) return [`${head}: as ${same}`];
    seen.set(body.join("\n"), head.slice(3));
    return [head, ...body];
  });
}

for (const engine of ["a to f", "g to lq", "lr to z"] as const)
  test(`ops from ${engine} become these nodes of each engine`, () => {
    const [from, to] = engine.split(" to ");
    const lines = [...kernelSamples]
      .filter(([op]) => op.toLowerCase() >= from && op.toLowerCase() <= `${to}~`)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([op, samples]) =>
        samples.flatMap((sample, i) => [`== ${op} ${i}`, ...distinct(everyEngine(graphOf(op, sample)))]),
      );
    approve(`engine/ops ${engine}`, lines);
  });

test("every op that WebGPU has is one that the processor has", () => {
  approve("engine/webgpuRules", Object.keys(webgpuRules).sort());
});

/** A graph, a node a line: its operands by number, the shapes of its results. */
function graphLines(graph: Graph): string[] {
  const port = ({ name, value }: { name: string; value: GraphValue }) =>
    `${name} ${value.id} [${value.shape}]`;
  return [
    ...graph.inputs.map(
      (one) => `in ${port(one)}${one.value.dtype === "float32" ? "" : ` ${one.value.dtype}`}`,
    ),
    ...graph.state.map((one) => `state ${port(one)}`),
    ...graph.constants.map(
      ({ value, data }) => `constant ${value.id} ${value.dtype} [${value.shape}]: ${numbersOf(data)}`,
    ),
    ...graph.nodes.map(
      ({ op, inputs, outputs, attributes, block }) =>
        `${op}(${inputs.join(", ")}) ${short(attributes)} -> ${outputs.map(({ id, shape }) => `${id} [${shape}]`).join(", ")}${block ? ` in ${block}` : ""}`,
    ),
    `out ${graph.outputs.map(({ name, id }) => `${name} ${id}`).join(", ")}`,
  ];
}

const encoder = { ...tinyViT, depth: 1 };

function pretraining(): StepSpec {
  const model = new MaskedAutoencoder({ encoder, decoder: tinyDecoder });
  return {
    model,
    rules: pretrainRules(model, 0.05),
    inputs: {
      images: { shape: [2, 3, 12, 12] },
      keepRows: { shape: [4], dtype: "int32" },
      restoreRows: { shape: [18], dtype: "int32" },
      mask: { shape: [2, 9] },
    },
    loss: (inputs) => model.loss(inputs as never),
  };
}

function finetuning(): StepSpec {
  const block = tinyBlock();
  lora.attach(block, { rank: 2 });
  const model = createClassifier({ encoder, fusion: through(block), classes: 3 });
  return {
    model,
    rules: finetuneRules(model, { weightDecay: 0.05, layerDecay: 0.65, depth: 1 }),
    inputs: { images: { shape: [2, 3, 12, 12] }, targets: { shape: [2, 3] }, dropPath: { shape: [2, 2] } },
    loss: ({ images, targets: soft, dropPath }) =>
      softTargetCrossEntropy(model.forward(images, { dropPath }), soft),
  };
}

for (const [name, make] of Object.entries({ pretraining, finetuning })) {
  test(`a step of ${name} is this graph, before and after the passes, and with blocks computed twice`, () => {
    const raw = traceStep("step", make());
    approve(`engine/${name}`, graphLines(optimize(raw)));
    approve(`engine/${name}, traced`, [
      `${raw.nodes.length} nodes`,
      ...graphLines(raw)
        .filter((line) => !line.startsWith("state"))
        .slice(0, 60),
    ]);
    approve(
      `engine/${name}, recomputed`,
      graphLines(optimize(raw, { memory: "recompute" })).filter((line) => !line.startsWith("state")),
    );
  });

  test(`a step of ${name} becomes these nodes of each engine`, () => {
    const { graph, updates } = splitUpdates(optimize(traceStep("step", make())));
    const lines = [
      ...updates.map((update) => short(update)),
      ...Object.entries(targets).flatMap(([target, options]) =>
        attempt(target, () => onnxLines(lowerGraph(graph, options).model)),
      ),
      ...attempt("tensorflow", () => tensorflowLines(graph, "float32")),
      ...attempt("tensorflow, bfloat16", () =>
        tensorflowLines(graph, "bfloat16").filter((line) => /Cast|MatMul|out/.test(line)),
      ),
    ];
    approve(`engine/${name}, lowered`, distinct(lines));
  });
}
