import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type BackendName, startBackend, type Tensor, tf } from "../../../src/core/tf";
import { definedOps } from "../../../src/nn/ops/defineOp";
import "../../../src/nn";
import { assertClose, assertNoLeak, randomTensor } from "./support";

/** One call of an op: input shapes, attributes, and how far its numbers may be from the same in stock ops. */
interface Sample {
  shapes: Record<string, number[]>;
  attributes?: object;
  scale?: number;
  tolerance?: number;
  /** Inputs that are not plain random numbers. */
  fixed?: Record<string, number[]>;
}

const eps = { eps: 1e-6 };
const adam = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05, lrScale: 0.75 };

/** Odd sizes everywhere, so that no loop is right by luck. */
const samples: Record<string, Sample[]> = {
  LuvitAddRow: [{ shapes: { x: [2, 3, 5], row: [5] } }, { shapes: { x: [7, 1], row: [1] } }],
  LuvitAfter: [{ shapes: { x: [2, 3, 5], signal: [4] } }],
  LuvitCrossEntropy: [{ shapes: { logits: [3, 7], targets: [3, 7] }, scale: 3 }],
  LuvitCrossEntropyGradient: [{ shapes: { logits: [3, 7], targets: [3, 7], dy: [] } }],
  LuvitPatchLoss: [
    {
      shapes: { prediction: [2, 3, 5], target: [2, 3, 5], mask: [2, 3] },
      fixed: { mask: [1, 0, 1, 0, 1, 1] },
    },
    // Rows that count in part, and more than once.
    {
      shapes: { prediction: [2, 3, 5], target: [2, 3, 5], mask: [2, 3] },
      fixed: { mask: [0.5, 0, 1, 2, 0.25, 1] },
    },
  ],
  LuvitSumRows: [{ shapes: { x: [2, 3, 5] } }, { shapes: { x: [1, 9] } }],
  LuvitGelu: [{ shapes: { x: [3, 7, 5] }, scale: 3 }],
  LuvitGeluGradient: [{ shapes: { x: [3, 7], dy: [3, 7] }, scale: 3 }],
  LuvitGatedSilu: [{ shapes: { gate: [3, 7], up: [3, 7] }, scale: 3 }],
  LuvitGatedSiluGateGradient: [
    { shapes: { gate: [3, 7], up: [3, 7], dy: [3, 7] }, scale: 3, tolerance: 1e-5 },
  ],
  LuvitLayerNorm: [
    { shapes: { x: [2, 3, 7], weight: [7], bias: [7] }, attributes: eps },
    { shapes: { x: [5, 3], weight: [3], bias: [3] }, attributes: { eps: 0.1 }, scale: 0.1 },
  ],
  LuvitLayerNormInputGradient: [{ shapes: { x: [2, 3, 7], weight: [7], dy: [2, 3, 7] }, attributes: eps }],
  LuvitLayerNormWeightGradient: [{ shapes: { x: [2, 3, 7], dy: [2, 3, 7] }, attributes: eps }],
  LuvitNormalRows: [{ shapes: { x: [2, 3, 7] }, attributes: eps }],
  LuvitRmsNorm: [
    { shapes: { x: [2, 3, 7], weight: [7] }, attributes: eps },
    { shapes: { x: [5, 3], weight: [3] }, attributes: { eps: 0.1 }, scale: 0.1 },
  ],
  LuvitRmsNormInputGradient: [{ shapes: { x: [2, 3, 7], weight: [7], dy: [2, 3, 7] }, attributes: eps }],
  LuvitRmsNormWeightGradient: [{ shapes: { x: [2, 3, 7], dy: [2, 3, 7] }, attributes: eps }],
  LuvitSplitHeads: [{ shapes: { x: [2, 5, 12] }, attributes: { heads: 3 } }],
  LuvitMergeHeads: [{ shapes: { x: [2, 3, 5, 7] } }],
  LuvitSplitQkv: [{ shapes: { x: [2, 5, 18] }, attributes: { heads: 3 } }],
  LuvitJoinQkv: [{ shapes: { q: [2, 3, 5, 2], k: [2, 3, 5, 2], v: [2, 3, 5, 2] } }],
  LuvitAdamW: [
    {
      shapes: { parameter: [3, 5], gradient: [3, 5], average: [3, 5], squares: [3, 5], schedule: [3] },
      fixed: { squares: Array.from({ length: 15 }, (_, i) => i / 10), schedule: [1e-2, 0.19, 0.0975] },
      attributes: adam,
    },
  ],
};

const cases = Object.entries(samples).flatMap(([name, list]) =>
  list.map((sample, i) => ({ name, sample, i })),
);

function makeInputs({ shapes, scale, fixed = {} }: Sample): Record<string, Tensor> {
  const entries = Object.entries(shapes).map(([name, shape], i): [string, Tensor] => [
    name,
    fixed[name] ? tf.tensor(fixed[name], shape) : randomTensor(shape, 10 + i, scale),
  ]);
  return Object.fromEntries(entries);
}

function runOp(name: string, inputs: Record<string, Tensor>, attributes: object = {}): Tensor[] {
  return ([] as Tensor[]).concat(tf.engine().runKernel(name, inputs as never, attributes as never));
}

const runComposite = (name: string, inputs: Record<string, Tensor>, attributes: object = {}) =>
  definedOps.get(name)!.composite(inputs as never, attributes) as Tensor[];

const onHost = (tensors: Tensor[]) => tensors.map((t) => ({ shape: t.shape, data: t.dataSync().slice() }));

type Run = typeof runOp;

function results(run: Run, { name, sample }: (typeof cases)[number]) {
  let host: ReturnType<typeof onHost> = [];
  tf.tidy(() => {
    host = onHost(run(name, makeInputs(sample), sample.attributes));
  });
  return host;
}

/** Gradients of a random projection of every result, towards every input. */
function gradients(run: Run, { name, sample }: (typeof cases)[number]) {
  let host: ReturnType<typeof onHost> = [];
  tf.tidy(() => {
    const inputs = makeInputs(sample);
    const names = Object.keys(inputs);
    const project = (...values: Tensor[]) => {
      const outputs = run(
        name,
        Object.fromEntries(names.map((key, i) => [key, values[i]])),
        sample.attributes,
      );
      const parts = outputs.map((output, i) => tf.sum(tf.mul(output, randomTensor(output.shape, 90 + i))));
      return parts.reduce((sum, part) => tf.add(sum, part));
    };
    host = onHost(tf.grads(project as (...values: Tensor[]) => tf.Scalar)(Object.values(inputs)));
  });
  return host;
}

function assertSame(
  actual: ReturnType<typeof onHost>,
  expected: ReturnType<typeof onHost>,
  tolerance: number,
): void {
  assert.deepEqual(
    actual.map(({ shape }) => shape),
    expected.map(({ shape }) => shape),
  );
  for (const [i, { data }] of expected.entries()) assertClose(actual[i].data, data, tolerance, `result ${i}`);
}

test("every op of this library is covered here", () => {
  assert.deepEqual([...definedOps.keys()].sort(), Object.keys(samples).sort());
});

for (const backend of ["cpu", "wasm"] as BackendName[]) {
  describe(`on ${backend}`, () => {
    for (const entry of cases) {
      const { name, sample, i } = entry;
      const tolerance = sample.tolerance ?? 2e-6;
      test(`${name} ${i} equals itself in stock ops`, async () => {
        await startBackend({ backend: "cpu" });
        const expected = results(runComposite, entry);
        await startBackend({ backend });
        assertSame(results(runOp, entry), expected, tolerance);
      });

      if (definedOps.get(name)?.gradient) {
        test(`the gradient of ${name} ${i} equals that of stock ops`, async () => {
          await startBackend({ backend: "cpu" });
          const expected = gradients(runComposite, entry);
          await startBackend({ backend });
          assertSame(gradients(runOp, entry), expected, 5 * tolerance);
        });
      }

      test(`${name} ${i} leaves nothing behind but its results`, async () => {
        await startBackend({ backend });
        const inputs = makeInputs(sample);
        const outputs = definedOps.get(name)!.outputs(inputs as never, sample.attributes ?? {});
        assertNoLeak(() => void runOp(name, inputs, sample.attributes), outputs.length);
      });
    }
  });
}

test("the shape rule of every op is what it returns", async () => {
  await startBackend({ backend: "cpu" });
  for (const { name, sample } of cases) {
    const inputs = makeInputs(sample);
    const expected = definedOps.get(name)!.outputs(inputs as never, sample.attributes ?? {});
    const actual = runOp(name, inputs, sample.attributes).map(({ shape, dtype }) => ({ shape, dtype }));
    assert.deepEqual(actual, expected, name);
  }
});

test("GELU and SwiGLU are finite far from zero", async () => {
  const { gelu, gatedSilu } = await import("../../../src/nn/ops");
  for (const backend of ["cpu", "wasm"] as BackendName[]) {
    await startBackend({ backend });
    const far = [-1e4, -200, -88, -20, 0, 20, 88, 200, 1e4];
    const positive = far.map((x) => Math.max(0, x));
    const x = tf.tensor(far);
    assertClose(gelu(x).dataSync(), positive, 1e-6, "gelu");
    assertClose(gatedSilu(x, tf.onesLike(x)).dataSync(), positive, 1e-6, "silu");
    const slopes = tf
      .grad((v) => tf.sum(tf.add(gelu(v), gatedSilu(v, tf.onesLike(v)))))(x)
      .dataSync();
    assertClose(slopes, [0, 0, 0, 0, 1, 2, 2, 2, 2], 1e-6, "slope");
  }
});

test("a gradient towards only one part of a fused projection leaves the others at zero", async () => {
  const { splitQkv } = await import("../../../src/nn/ops");
  for (const backend of ["cpu", "wasm"] as BackendName[]) {
    await startBackend({ backend });
    const slope = tf.grad((x) => tf.sum(splitQkv(x, 2)[1]))(randomTensor([1, 3, 12]));
    const row = [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0];
    assert.deepEqual([...slope.dataSync()], [...row, ...row, ...row]);
  }
});
