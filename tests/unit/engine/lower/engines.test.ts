import assert from "node:assert/strict";
import { test } from "node:test";
import { startBackend, tf } from "../../../../src/core/tf";
import { assertClose } from "../../nn/support";
import { compilingEngines, GraphWriter, openGraph } from "../support";
import { addCase, caseText, computed, type Given, type OpCase, opCases } from "./opCases";

/*
 * Every engine computes what tfjs's own kernels in plain JavaScript do: all calls in one graph, fed, of constants, and of
 * constants that are one number everywhere.
 */

const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };

/** The same call with the first number of each operand of floats everywhere. */
const flat = (one: OpCase): OpCase => {
  const level = (operand: { dtype: string; data: readonly number[] }) =>
    operand.dtype === "float32" ? { ...operand, data: operand.data.map(() => operand.data[0]) } : operand;
  const operands = Array.isArray(one.operands)
    ? one.operands.map(level)
    : Object.fromEntries(Object.entries(one.operands).map(([name, operand]) => [name, level(operand)]));
  return { ...one, operands: operands as OpCase["operands"] };
};

for (const engine of compilingEngines)
  for (const given of ["fed", "constant", "uniform"] as const satisfies readonly Given[])
    test(`${engine.title} does what tfjs does with operands that are ${given}`, engine.options, async () => {
      await startBackend({ backend: "cpu" });
      const writer = new GraphWriter();
      const feeds: Record<string, Float32Array | Int32Array | Uint8Array> = {};
      for (const [nth, one] of opCases.entries()) {
        addCase(writer, `${nth} `, one, given);
        if (given !== "fed") continue;
        for (const [key, { dtype, data }] of Object.entries(one.operands))
          feeds[`${nth} ${key}`] = arrays[dtype].from(data);
      }
      const executor = await openGraph(writer.finish(), {}, { threads: 1, open: engine.open });
      try {
        const results = await executor.run("step", feeds);
        for (const [nth, one] of opCases.entries()) {
          const expected = tf.tidy(() =>
            computed(given === "uniform" ? flat(one) : one).map((y) => Float32Array.from(y.dataSync())),
          );
          for (const [result, numbers] of expected.entries()) {
            const found = results[`${nth} y${result}`];
            assert.equal(found.length, numbers.length, caseText(one));
            const finite = numbers.map((x) => (Number.isFinite(x) ? x : 0));
            assertClose(
              found.map((x, place) => (Object.is(x, numbers[place]) && !Number.isFinite(x) ? 0 : x)),
              finite,
              5e-6,
              `${caseText(one)}, result ${result}`,
            );
          }
        }
      } finally {
        await executor.dispose();
      }
    });
