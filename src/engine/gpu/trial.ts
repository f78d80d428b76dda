import type { Graph, GraphNode, GraphValue } from "../../graph/ir";
import type { ArraysByName } from "../executor";

/*
 * Two small programs that a GPU must compute as the CPU does before anything is trained on it: a step of training, with
 * RMSNorm, GELU, their gradients and AdamW; and products whose time says whether it is worth while.
 */

const [ROWS, WIDTH, OUT] = [8, 64, 32];
/** Sides of the matrices: what ends soon on anything, and what is more than the way there and back. */
export const [SMALL, LARGE] = [512, 1024];
export const PRODUCTS = 4;

class Writer {
  readonly nodes: GraphNode[] = [];
  private ids = 0;

  value(shape: readonly number[]): GraphValue {
    return { id: this.ids++, shape, dtype: "float32" };
  }

  /** A call whose results have the given shapes. */
  call(
    op: string,
    operands: Record<string, GraphValue>,
    shapes: readonly (readonly number[])[],
    attributes: GraphNode["attributes"] = {},
  ): GraphValue[] {
    const outputs = shapes.map((shape) => this.value(shape));
    const inputs = Object.values(operands).map(({ id }) => id);
    this.nodes.push({ op, inputs, inputNames: Object.keys(operands), outputs, attributes });
    return outputs;
  }

  one(
    ...args: [op: string, operands: Record<string, GraphValue>, shape: readonly number[], attributes?: object]
  ) {
    const [op, operands, shape, attributes] = args;
    return this.call(op, operands, [shape], attributes as GraphNode["attributes"])[0];
  }
}

/** mean(gelu(rmsNorm(x Wᵀ))²), its gradient for W and a step of AdamW. */
function trainingStep(): Graph {
  const w = new Writer();
  const [x, schedule] = [w.value([ROWS, WIDTH]), w.value([3])];
  const [weight, average, squares] = [1, 2, 3].map(() => w.value([OUT, WIDTH]));
  const scale = w.value([OUT]);
  const like = [ROWS, OUT];
  const product = { transposeA: false, transposeB: true };
  const h = w.one("BatchMatMul", { a: x, b: weight }, like, product);
  const n = w.one("LuvitRmsNorm", { x: h, weight: scale }, like, { eps: 1e-6 });
  const y = w.one("LuvitGelu", { x: n }, like);
  const loss = w.one("Mean", { x: w.one("Square", { x: y }, like) }, [], { axis: [0, 1], keepDims: false });
  const dn = w.one("LuvitGeluGradient", { x: n, dy: y }, like);
  const dh = w.one("LuvitRmsNormInputGradient", { x: h, weight: scale, dy: dn }, like, { eps: 1e-6 });
  const gradient = w.one("BatchMatMul", { a: dh, b: x }, [OUT, WIDTH], {
    transposeA: true,
    transposeB: false,
  });
  const shape = [OUT, WIDTH];
  const rules = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05, lrScale: 1 };
  const operands = { parameter: weight, gradient, average, squares, schedule };
  const next = w.call("LuvitAdamW", operands, [shape, shape, shape], rules);
  const names = ["weight", "average", "squares"];
  const values = [weight, average, squares];
  return {
    name: "trial of training",
    inputs: [
      { name: "x", value: x },
      { name: "schedule", value: schedule },
    ],
    state: [...names.map((name, i) => ({ name, value: values[i] })), { name: "scale", value: scale }],
    constants: [],
    nodes: w.nodes,
    outputs: [{ name: "loss", id: loss.id }, ...names.map((name, i) => ({ name, id: next[i].id }))],
  };
}

/** Sum of a matrix times itself, over and over. */
function products(side: number): Graph {
  const w = new Writer();
  const matrix = w.value([side, side]);
  let product = matrix;
  for (let i = 0; i < PRODUCTS; i++)
    product = w.one("BatchMatMul", { a: product, b: matrix }, [side, side], {
      transposeA: false,
      transposeB: false,
    });
  const sum = w.one("Sum", { x: product }, [], { axis: [0, 1], keepDims: false });
  return {
    name: `trial of speed, ${side}`,
    inputs: [],
    state: [{ name: `matrix ${side}`, value: matrix }],
    constants: [],
    nodes: w.nodes,
    outputs: [{ name: "sum", id: sum.id }],
  };
}

/** Name of the program of products. */
export const multiply = (side: number) => `multiply ${side}`;

export const trialPrograms = () => ({
  train: { graph: trainingStep() },
  [multiply(SMALL)]: { graph: products(SMALL) },
  [multiply(LARGE)]: { graph: products(LARGE) },
});

/** Numbers between -1 and 1 that repeat late: the same everywhere. */
const numbers = (length: number, step: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * step + 1));

export const trialState = (): ArraysByName => ({
  weight: numbers(OUT * WIDTH, 0.37),
  scale: numbers(OUT, 0.73),
  ...Object.fromEntries(
    [SMALL, LARGE].map((side) => [`matrix ${side}`, numbers(side * side, 1e-3).map((x) => x / side)]),
  ),
});

export const trialFeeds = (step: number): ArraysByName => ({
  x: numbers(ROWS * WIDTH, 0.11 + step),
  schedule: Float32Array.of(1e-2, 1 - 0.9 ** step, 1 - 0.95 ** step),
});
