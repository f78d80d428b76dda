import assert from "node:assert/strict";
import { test } from "node:test";
import type { Engine } from "../../../src/engine";
import { constant } from "../../../src/nn/init";
import { sendParameters } from "../../../src/nn/modelState";
import { Parameter } from "../../../src/nn/parameter";

const zeros = constant(() => new Float32Array(0));

/** Says that it is large, and how many like it are ready and have not crossed. */
class LargeParameter extends Parameter {
  static ready = 0;
  static most = 0;

  override async peek(): Promise<Float32Array> {
    LargeParameter.most = Math.max(LargeParameter.most, ++LargeParameter.ready);
    return new Float32Array(1);
  }
}

async function mostReady(numbers: number): Promise<number> {
  LargeParameter.ready = LargeParameter.most = 0;
  const executor = {
    async writeState() {
      await new Promise((done) => setTimeout(done, 2));
      LargeParameter.ready--;
    },
  } as unknown as Engine;
  const parameters = Array.from(
    { length: 6 },
    (_, i) => [`w${i}`, new LargeParameter([numbers], zeros, i)] as const,
  );
  await sendParameters(executor, parameters);
  return LargeParameter.most;
}

test("of weights of 180 MB one is drawn when the one before it has crossed", async () => {
  assert.equal(await mostReady(45e6), 1);
});

test("of weights of 60 MB one crosses while the next is drawn", async () => {
  assert.equal(await mostReady(15e6), 2);
});
