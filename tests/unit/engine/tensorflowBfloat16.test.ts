import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import { describeEngine, type OpenEngine, tensorflowProblem } from "../../../src/engine";
import { multipliesBfloat16 } from "../../../src/engine/tensorflow/environment";
import { openTensorflow, openTensorflowEngine } from "../../../src/engine/tensorflow/executor";
import { optimize } from "../../../src/graph";
import { load, stateDict } from "../../golden/support";
import { traceStep } from "../graph/support";
import { assertClose, isLuvitError, randomArray } from "../nn/support";
import { finetuning, openCase, pretraining, train } from "./goldenRuns";
import { GraphWriter, openGraph } from "./support";

const problem = tensorflowProblem();
const options: { skip: string | false } = { skip: problem ?? false };

/** Unit roundoff of bfloat16: eight binary digits. */
const U = 2 ** -8;

/** Products in bfloat16 as on processors and GPUs that have them, whatever this one has. */
const open: OpenEngine = (programs, more) =>
  openTensorflow(programs, { ...more, precision: "bfloat16" }, "bfloat16");

before(() => startBackend());

const [ROWS, INNER, COLUMNS] = [5, 96, 7];

/** y = x wᵀ with a weight that is trained by nobody, and one that is replaced. */
function products() {
  const g = new GraphWriter();
  const x = g.input("x", [ROWS, INNER]);
  const times = (name: string) => {
    const w = g.state(name, [COLUMNS, INNER]);
    const attributes = { transposeA: false, transposeB: true };
    g.output(`x ${name}`, g.node("BatchMatMul", { a: x, b: w }, [{ shape: [ROWS, COLUMNS] }], attributes)[0]);
    return w;
  };
  times("frozen");
  const changed = times("changed");
  g.output("changed", g.node("Neg", { x: changed }, [{ shape: [COLUMNS, INNER] }])[0]);
  return g.finish();
}

test("a product is off by the rounding of its operands and of its result, no more", options, async () => {
  const [x, w] = [randomArray(ROWS * INNER, 1), randomArray(COLUMNS * INNER, 2)];
  const executor = await openGraph(products(), { frozen: w, changed: w }, { open, threads: 1 });
  const results = await executor.run("step", { x });
  let largest = 0;
  for (const name of ["x frozen", "x changed"]) {
    for (let row = 0; row < ROWS; row++) {
      for (let column = 0; column < COLUMNS; column++) {
        const terms = Array.from({ length: INNER }, (_, i) => x[row * INNER + i] * w[column * INNER + i]);
        const exact = terms.reduce((sum, term) => sum + term, 0);
        const size = terms.reduce((sum, term) => sum + Math.abs(term), 0);
        const error = Math.abs(results[name][row * COLUMNS + column] - exact);
        // Each operand (1 + U), the sum in float32, the result (1 + U).
        assert.ok(
          error <= (2 * U + U * U + INNER * 2 ** -24) * size + 2 * U * Math.abs(exact),
          `${name}: ${error}`,
        );
        largest = Math.max(largest, error);
      }
    }
  }
  assert.ok(largest > 1e-4, "it is computed in bfloat16");
  await executor.dispose();
});

test("attention's products are off by the rounding of operands and results", options, async () => {
  const [TOKENS, CHANNELS] = [6, 32];
  const g = new GraphWriter();
  const shape = [2, 3, TOKENS, CHANNELS];
  const [q, k, v] = ["q", "k", "v"].map((name) => g.input(name, shape));
  const square = [{ shape: [2, 3, TOKENS, TOKENS] }];
  const [scores] = g.node("BatchMatMul", { a: q, b: k }, square, { transposeA: false, transposeB: true });
  const [weights] = g.node("Softmax", { logits: scores }, square, { dim: 3 });
  g.output("out", g.node("BatchMatMul", { a: weights, b: v }, [{ shape }], plain)[0]);
  const size = 2 * 3 * TOKENS * CHANNELS;
  const feeds = { q: randomArray(size, 1), k: randomArray(size, 2), v: randomArray(size, 3) };
  const executor = await openGraph(g.finish(), {}, { open, threads: 1 });
  const { out } = await executor.run("step", feeds);
  const at = (x: Float32Array, head: number, token: number) =>
    x.subarray((head * TOKENS + token) * CHANNELS, (head * TOKENS + token + 1) * CHANNELS);
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a).reduce((sum, value, i) => sum + value * b[i], 0);
  let largest = 0;
  for (let head = 0; head < 6; head++) {
    for (let token = 0; token < TOKENS; token++) {
      const tokens = Array.from({ length: TOKENS }, (_, other) => other);
      const logits = tokens.map((other) => dot(at(feeds.q, head, token), at(feeds.k, head, other)));
      const sizes = tokens.map((other) =>
        dot(at(feeds.q, head, token).map(Math.abs), at(feeds.k, head, other).map(Math.abs)),
      );
      // Operands and result round by U each; a weight follows its logit and the mean of all by so much, and rounds once.
      const shift = 2 * Math.max(...sizes.map((each, i) => 2 * U * each + 2 * U * Math.abs(logits[i])));
      const exponentials = logits.map((logit) => Math.exp(logit));
      const total = exponentials.reduce((a, b) => a + b);
      for (let channel = 0; channel < CHANNELS; channel++) {
        const column = tokens.map((other) => at(feeds.v, head, other)[channel]);
        const exact = dot(exponentials, column) / total;
        const size = dot(exponentials, column.map(Math.abs)) / total;
        const error = Math.abs(at(out, head, token)[channel] - exact);
        assert.ok(
          error <= size * (Math.expm1(shift) + 4 * U) + 1e-6,
          `${head} ${token} ${channel}: ${error}`,
        );
        largest = Math.max(largest, error);
      }
    }
  }
  assert.ok(largest > 1e-4, "it is computed in bfloat16");
  await executor.dispose();
});

const plain = { transposeA: false, transposeB: false };

test("frozen weights are kept in bfloat16, what changes in float32", options, async () => {
  const w = randomArray(COLUMNS * INNER, 2);
  const executor = await openGraph(products(), { frozen: w, changed: w }, { open, threads: 1 });
  const { frozen, changed } = await executor.readState(["frozen", "changed"]);
  assert.deepEqual(changed, w);
  for (const [i, value] of frozen.entries()) {
    assert.ok(Math.abs(value - w[i]) <= U * Math.abs(w[i]));
    assert.equal(new Uint32Array(Float32Array.of(value).buffer)[0] & 0xffff, 0);
  }
  await executor.dispose();
});

test("norms, softmax, sums and AdamW stay in float32", options, async () => {
  const g = new GraphWriter();
  const x = g.input("x", [3, 8]);
  const [weight, bias] = [g.input("weight", [8]), g.input("bias", [8])];
  const like = [{ shape: [3, 8] }];
  g.output("norm", g.node("LuvitLayerNorm", { x, weight, bias }, like, { eps: 1e-6 })[0]);
  g.output("softmax", g.node("Softmax", { logits: x }, like, { dim: 1 })[0]);
  const graph = g.finish();
  const feeds = { x: randomArray(24, 1), weight: randomArray(8, 2), bias: randomArray(8, 3) };
  const executor = await openGraph(graph, {}, { open, threads: 1 });
  const { norm, softmax } = await executor.run("step", feeds);
  for (let row = 0; row < 3; row++) {
    const values = Array.from(feeds.x.subarray(8 * row, 8 * row + 8));
    const mean = values.reduce((a, b) => a + b) / 8;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 8 + 1e-6);
    const normal = values.map((value, i) => ((value - mean) / deviation) * feeds.weight[i] + feeds.bias[i]);
    assertClose(norm.slice(8 * row, 8 * row + 8), normal, 5e-6, "norm");
    const exponentials = values.map(Math.exp);
    const sum = exponentials.reduce((a, b) => a + b);
    assertClose(
      softmax.slice(8 * row, 8 * row + 8),
      exponentials.map((value) => value / sum),
      2e-6,
      "softmax",
    );
  }
  await executor.dispose();
});

/**
 * Losses: predictions pass some forty products one after the other, each with relative errors up to 3 U of random sign,
 * which a norm then evens out to U / sqrt(channels) or so; a loss is a mean over hundreds of numbers. 4 U relative
 * leaves an order of magnitude.
 * Parameters: AdamW moves a number by about its rate whatever the size of the gradient, so no two runs differ by more
 * than twice the sum of the rates times (1 - beta1) / sqrt(1 - beta2), or times 1 where that is less; on average they
 * must agree much better, or the gradients would point elsewhere.
 */
describe("the golden training runs in bfloat16", () => {
  for (const [name, make] of [
    ["luvit_pretrain", pretraining],
    ["luvit_finetune", finetuning],
  ] as const) {
    test(`${name}: losses and parameters`, options, async (context) => {
      const opened = openCase(name);
      const { folder, io, meta } = opened;
      const scenario = make(opened);
      scenario.step.model.loadStateDict(stateDict(load(folder, "state.safetensors")));
      const graph = optimize(traceStep(name, scenario.step));
      const { losses, state } = await train({ open }, graph, scenario, opened);
      const golden = Array.from(io.get("losses")!.data);
      const lossErrors = losses.map((loss, i) => Math.abs(loss - golden[i]) / golden[i]);
      const [beta1, beta2] = meta.config.betas;
      const rates = Array.from(io.get("lrs")!.data).reduce((sum, rate) => sum + rate, 0);
      const bound = 2 * rates * Math.max(1, (1 - beta1) / Math.sqrt(1 - beta2));
      let [largest, total, count] = [0, 0, 0];
      for (const [path, { data }] of load(folder, "params_after.safetensors")) {
        for (const [i, value] of Array.from(data).entries()) {
          const error = Math.abs(state[path][i] - value);
          const frozen = Math.abs(value) * U;
          largest = Math.max(largest, error - frozen);
          total += error;
          count++;
        }
      }
      context.diagnostic(
        `losses ${Math.max(...lossErrors)}, largest ${largest} of ${bound}, mean ${total / count}`,
      );
      assert.ok(Math.max(...lossErrors) <= 4 * U, `losses: ${lossErrors}`);
      assert.ok(largest <= bound, `parameters: ${largest}, bound ${bound}`);
      assert.ok(total / count <= 0.05 * bound, `parameters on average: ${total / count}, bound ${bound}`);
    });
  }
});

test(
  "the description says what was asked for; the other precision needs another process",
  options,
  async () => {
    const executor = await openTensorflowEngine({}, { precision: "bfloat16", threads: 1 });
    assert.equal(describeEngine(executor.description), "tensorflow cpu (1 thread, bfloat16)");
    assert.equal(typeof multipliesBfloat16(), "boolean");
    await executor.dispose();
    await assert.rejects(openTensorflowEngine({}), isLuvitError("engine", "process of its own"));
    await assert.rejects(
      openTensorflowEngine({}, { precision: "bfloat16", frozen: "int8" }),
      isLuvitError("engine", "int8", "onnxruntime"),
    );
    await assert.rejects(
      openTensorflowEngine({}, { precision: "bfloat16", provider: "webgpu" }),
      isLuvitError("engine", "WebGPU"),
    );
  },
);
