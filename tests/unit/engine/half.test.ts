import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import { splitUpdates } from "../../../src/engine/adamw/splitUpdates";
import { halfBits } from "../../../src/engine/onnx/half";
import { lowerGraph } from "../../../src/engine/onnx/lower";
import type { OnnxModel } from "../../../src/engine/onnx/model";
import { loadOnnxRuntime, tensorOf } from "../../../src/engine/onnx/runtime";
import { createSession } from "../../../src/engine/onnx/session";
import { type Graph, optimize } from "../../../src/graph";
import { LOSS_SCALE } from "../../../src/train/traceStep";
import { hostParameters, load, stateDict } from "../../golden/support";
import { traceStep } from "../graph/support";
import { emulateHalf, halfOf } from "./emulateHalf";
import { finetuning, hostFeeds, openCase, pretraining, type Scenario } from "./goldenRuns";
import { withOnnxRuntime } from "./support";

before(async () => {
  await startBackend();
});

describe("the bits of a float16", () => {
  test("every float16 has its own", () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const number = halfOf(bits);
      if (!Number.isNaN(number)) assert.equal(halfBits(number), bits);
    }
    assert.ok(Number.isNaN(halfOf(halfBits(Number.NaN))));
  });

  test("what lies between two is the nearer one's, halfway the even one's", () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const [below, above] = [halfOf(bits), halfOf(bits + 1)];
      const middle = (below + above) / 2;
      assert.equal(halfBits(middle), bits % 2 === 0 ? bits : bits + 1);
      assert.equal(halfBits((middle + below) / 2), bits);
      assert.equal(halfBits((middle + above) / 2), bits + 1);
    }
  });

  test("from 65520 on it is infinite", () => {
    assert.deepEqual([65519.99, 65520, -1e9].map(halfBits), [0x7bff, 0x7c00, 0xfc00]);
  });
});

const settings = { threads: 1, provider: "cpu" } as const;

/** Results of a model of a step, by the graph's names. */
async function results(
  graph: Graph,
  model: OnnxModel,
  names: ReadonlyMap<string, string>,
  arrays: Record<string, Float32Array | Int32Array | Uint8Array>,
) {
  const runtime = loadOnnxRuntime();
  const session = await createSession(runtime, model, settings);
  const inputs = [...graph.inputs, ...graph.state].filter(({ name }) =>
    model.inputs.some((port) => port.name === name),
  );
  const feeds = inputs.map((input) => [input.name, tensorOf(runtime, input, arrays[input.name])] as const);
  const wanted = graph.outputs.map(({ name }) => names.get(name)!);
  const given = await session.run(
    Object.fromEntries(feeds),
    Object.fromEntries(wanted.map((name) => [name, null])),
  );
  await session.release();
  return new Map(graph.outputs.map(({ name }) => [name, given[names.get(name)!].data as Float32Array]));
}

const norm = (x: ArrayLike<number>) =>
  Math.sqrt(Array.from(x).reduce((sum, value) => sum + value * value, 0));

/**
 * A value that is rounded once is off by 2^-11 / sqrt(12) = 1.4e-4 of itself (root mean square). In these models a gradient
 * has gone through some 150 roundings on its way (ten for each of seven blocks, there and back), whose errors point
 * anywhere: sqrt(150) * 1.4e-4 = 1.7e-3, three times which no tensor should pass, and a loss, half the way, no more than
 * that.
 */
const [GRADIENT_TOLERANCE, LOSS_TOLERANCE] = [5.2e-3, 1.7e-3];

async function errorsInHalf(
  name: string,
  make: (opened: ReturnType<typeof openCase>) => Scenario,
  scale: number,
) {
  const opened = openCase(name);
  const { step, feedsAt } = make(opened);
  step.model.loadStateDict(stateDict(load(opened.folder, "state.safetensors")));
  const { graph } = splitUpdates(optimize(traceStep(name, { ...step, scaled: true })));
  const parameters = Object.fromEntries(await hostParameters(step.model));
  const feeds = {
    ...hostFeeds(() => feedsAt(0)),
    schedule: new Float32Array(3),
    [LOSS_SCALE]: Float32Array.of(scale),
  };
  const plain = lowerGraph(graph, { provider: "webgpu" });
  const half = lowerGraph(graph, { provider: "webgpu", products: "float16" });
  const arrays = { ...parameters, ...feeds };
  const expected = await results(graph, plain.model, plain.outputNames, arrays);
  const found = await results(graph, emulateHalf(half.model), half.outputNames, arrays);
  const loss = Math.abs(found.get("loss")![0] / expected.get("loss")![0] - 1);
  const gradients = [...expected].filter(
    ([output, x]) => output.startsWith("gradient") && norm(x) > 1e-6 * scale,
  );
  const errors = gradients.map(
    ([output, x]) => norm(x.map((value, i) => value - found.get(output)![i])) / norm(x),
  );
  return { loss, errors };
}

for (const [name, make] of [
  ["luvit_pretrain", pretraining],
  ["luvit_finetune", finetuning],
] as const) {
  test(`${name} in float16: loss and gradients are off by what rounding makes`, withOnnxRuntime, async () => {
    const { loss, errors } = await errorsInHalf(name, make, 2 ** 10);
    assert.ok(loss > 1e-8 && loss < LOSS_TOLERANCE, `loss off by ${loss}`);
    const worst = Math.max(...errors);
    assert.ok(
      errors.length > 20 && worst > 1e-5 && worst < GRADIENT_TOLERANCE,
      `${errors.length} gradients, off by ${worst}`,
    );
  });
}
