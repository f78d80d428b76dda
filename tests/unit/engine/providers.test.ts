import assert from "node:assert/strict";
import { test } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import type { Engine, OpenOptions } from "../../../src/engine";
import { assertClose, randomArray } from "../nn/support";
import { GraphWriter, openGraph, withOnnxRuntime } from "./support";

const [ROWS, IN, OUT] = [6, 16, 32];

/** A linear layer, GELU and LayerNorm. */
function smallGraph() {
  const g = new GraphWriter();
  const x = g.input("x", [ROWS, IN]);
  const [w, scale, shift] = [g.state("w", [OUT, IN]), g.state("scale", [OUT]), g.state("shift", [OUT])];
  const like = [{ shape: [ROWS, OUT] }];
  const [product] = g.node("BatchMatMul", { a: x, b: w }, like, { transposeA: false, transposeB: true });
  const [bent] = g.node("LuvitGelu", { x: product }, like);
  g.output("y", g.node("LuvitLayerNorm", { x: bent, weight: scale, bias: shift }, like, { eps: 1e-6 })[0]);
  return g.finish();
}

const state = { w: randomArray(OUT * IN, 1), scale: randomArray(OUT, 2), shift: randomArray(OUT, 3) };
const feeds = { x: randomArray(ROWS * IN, 4) };

async function resultOn(provider: OpenOptions["provider"]): Promise<Float32Array> {
  const executor: Engine = await openGraph(smallGraph(), state, { threads: 1, provider });
  const { y } = await executor.run("step", feeds);
  await executor.dispose();
  return y;
}

for (const [provider, need] of [
  ["webgpu", "Vulkan"],
  ["cuda", "CUDA"],
] as const) {
  test(`${provider} gives what the CPU gives, or says what it needs`, withOnnxRuntime, async (t) => {
    const expected = await resultOn("cpu");
    try {
      assertClose(await resultOn(provider), expected, 1e-5, provider);
    } catch (error) {
      if (!(error instanceof LuvitError)) throw error;
      assert.equal(error.code, "engine");
      assert.match(error.message, new RegExp(`onnxruntime ${provider} did not accept .*${need}`));
      t.diagnostic(error.message);
    }
  });
}
