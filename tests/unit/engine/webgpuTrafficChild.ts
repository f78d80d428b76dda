import { createRequire } from "node:module";
import { type ArraysByName, openOnnxEngine } from "../../../src/engine";
import { randomArray } from "../nn/support";
import { GraphWriter } from "./support";

/*
 * Trains a small model on WebGPU in this process and prints what crossed between onnxruntime and the host: every tensor in
 * host memory that a session was given or gave.
 */

interface Tensor {
  readonly location: string;
  readonly data: ArrayBufferView;
  dispose(): void;
}

type Tensors = Record<string, Tensor>;

const { InferenceSession } = createRequire(__filename)("onnxruntime-node");
const count = { up: 0, down: 0, alive: 0 };

const hostBytes = (tensors: Tensors) =>
  Object.values(tensors)
    .filter(({ location }) => location === "cpu")
    .reduce((sum, { data }) => sum + data.byteLength, 0);

const { run } = InferenceSession.prototype;
InferenceSession.prototype.run = async function (this: unknown, feeds: Tensors, ...rest: unknown[]) {
  const results: Tensors = await run.call(this, feeds, ...rest);
  count.up += hostBytes(feeds);
  count.down += hostBytes(results);
  for (const tensor of Object.values(results)) {
    if (tensor.location === "cpu") continue;
    count.alive++;
    const dispose = tensor.dispose.bind(tensor);
    tensor.dispose = () => {
      count.alive--;
      dispose();
    };
  }
  return results;
};

const [ROWS, IN, OUT] = [4, 16, 8];

/** mean((x Wᵀ + b)²) with AdamW for both, weights decaying and biases not. */
function step() {
  const g = new GraphWriter();
  const x = g.input("x", [ROWS, IN]);
  const schedule = g.input("schedule", [3]);
  const [w, b] = [g.state("w", [OUT, IN]), g.state("b", [OUT])];
  const like = [{ shape: [ROWS, OUT] }];
  const [product] = g.node("BatchMatMul", { a: x, b: w }, like, { transposeA: false, transposeB: true });
  const [y] = g.node("LuvitAddRow", { x: product, row: b }, like);
  const [squares] = g.node("Square", { x: y }, like);
  g.output("loss", g.node("Mean", { x: squares }, [{ shape: [] }], { axis: [0, 1], keepDims: false })[0]);
  const [dw] = g.node("BatchMatMul", { a: y, b: x }, [{ shape: [OUT, IN] }], {
    transposeA: true,
    transposeB: false,
  });
  const [db] = g.node("LuvitSumRows", { x: y }, [{ shape: [OUT] }]);
  for (const [name, parameter, gradient, weightDecay] of [
    ["w", w, dw, 0.1],
    ["b", b, db, 0],
  ] as const) {
    const { shape } = parameter;
    const [average, squared] = [g.state(`${name}.exp_avg`, shape), g.state(`${name}.exp_avg_sq`, shape)];
    const operands = { parameter, gradient, average, squares: squared, schedule };
    const rules = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay, lrScale: 1 };
    const results = g.node("LuvitAdamW", operands, [{ shape }, { shape }, { shape }], rules);
    for (const [i, entry] of [name, `${name}.exp_avg`, `${name}.exp_avg_sq`].entries())
      g.output(entry, results[i]);
  }
  return g.finish();
}

async function main(): Promise<void> {
  const engine = await openOnnxEngine({ step: { graph: step(), guard: "loss" } }, { provider: "webgpu" });
  const weights = { w: randomArray(OUT * IN, 1), b: randomArray(OUT, 2) };
  await engine.writeState(weights);
  const [up, down, alive] = [[] as number[], [] as number[], [] as number[]];
  const feeds: ArraysByName = { x: randomArray(ROWS * IN, 3), schedule: Float32Array.of(1e-3, 0.1, 0.05) };
  for (let i = 0; i < 20; i++) {
    Object.assign(count, { up: 0, down: 0 });
    await engine.run("step", feeds);
    up.push(count.up);
    down.push(count.down);
    alive.push(count.alive);
  }
  const feedBytes = 4 * ROWS * IN;
  await engine.dispose();
  process.stdout.write(JSON.stringify({ up, down, alive, feedBytes }));
}

void main();
