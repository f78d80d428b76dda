import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { packageRoot } from "../../../src/core/packageRoot";
import { seededRng } from "../../support/seededRng";
import { type Exchange, KernelClient } from "./client";

let kernel: KernelClient;

before(async () => {
  kernel = await KernelClient.start();
  const folder = JSON.stringify(join(packageRoot(), "data", "shapes", "train"));
  await ran(`import * as luvit from "luvit";
await luvit.ready();
const { data, mae, recipes, train, vit } = luvit;
const images = await data.imageFolder(${folder}, { transform: data.transforms.mae(64) });
const model = mae.create({ encoder: vit.toy, decoder: mae.decoderToy });
const recipe = { ...recipes.pretrainToy, epochs: 1000 };
let run: ReturnType<typeof train.pretrain>;`);
});
after(() => kernel.close());

async function ran(code: string): Promise<string> {
  const { reply, published } = await kernel.run(code);
  assert.equal(reply.status, "ok", JSON.stringify(reply));
  const result = published.find(({ type }) => type === "execute_result");
  return String(result?.content.data["text/plain"]);
}

/** Presses stop: the cell ends within two seconds, and what this machine needs for a cell just now; the next one runs. */
async function stopped(id: string): Promise<Exchange> {
  const asked = Date.now();
  await kernel.interrupt();
  const exchange = await kernel.answer(id, 20_000);
  const waited = Date.now() - asked;
  assert.equal(await ran("1 + 1"), "2");
  const cell = Date.now() - asked - waited;
  assert.ok(
    waited < 2000 + cell,
    `the cell ended ${waited} ms after the interrupt, the next took ${cell} ms`,
  );
  return exchange;
}

const updates = (id: string) =>
  kernel.published(id).filter(({ type }) => type === "update_display_data").length;

describe("a training run under the stop button", () => {
  it("saves, keeps what it has, and can be resumed", async () => {
    const id = kernel.start(
      'run = train.pretrain(model, images, { ...recipe, out: "a" });\nluvit.live(run);\nawait run.done;\nrun',
    );
    await kernel.until(() => updates(id) > 2, 60_000, "the run does not show its steps");
    const { reply } = await stopped(id);
    // A machine that cannot finish a step and save within the time says that the run still does.
    if (reply.status !== "ok") assert.match(reply.evalue, /finishes its step and saves: await run.done/);
    assert.match(await ran("await run.done;\nrun"), /^pretrain: loss .*saved in a\/checkpoint-/);
    const steps = Number(await ran("run.history.length"));
    assert.ok(steps > 0);
    const checkpoint = await ran("run.checkpoint!");
    assert.ok(existsSync(join(kernel.folder, checkpoint)) || existsSync(checkpoint), checkpoint);
    const again = kernel.start(
      'run = train.pretrain(model, images, { ...recipe, out: "a", resume: true });\nluvit.live(run);\nawait run.done;',
    );
    await kernel.until(() => updates(again) > 2, 60_000);
    await stopped(again);
    assert.ok(Number(await ran("await run.done;\nrun.history.length")) > steps);
  });

  it("stays alive through twenty interrupts in a row at random moments", async () => {
    const moments = seededRng(20);
    for (let round = 0; round < 20; round++) {
      const id = kernel.start(
        'run = train.pretrain(model, images, { ...recipe, out: "b", resume: true });\nawait run.done;',
      );
      await sleep(moments.integer(1200));
      const { reply } = await stopped(id);
      assert.ok(reply.status === "ok" || reply.ename === "KeyboardInterrupt", JSON.stringify(reply));
      await ran("await run.stop();");
    }
    assert.equal(kernel.exitCode, undefined);
    assert.ok(Number(await ran("run.history.length")) > 0);
  });

  it("is not needed for a cell that waits for the engine's process, which goes on with the next cell", async () => {
    await ran(`const { tf } = luvit;
const long = await luvit.compile("long", {
  inputs: { x: { shape: [1024, 1024] } },
  body: ({ x }) => {
    let y = x;
    for (let i = 0; i < 10; i++) y = tf.tanh(tf.matMul(y, x));
    return { y: tf.mean(y) };
  },
});
const x = new Float32Array(1024 * 1024);`);
    const id = kernel.start("await Promise.all(Array.from({ length: 30 }, () => long.run({ x })));");
    await sleep(400);
    const { reply } = await stopped(id);
    assert.deepEqual([reply.status, reply.ename], ["error", "KeyboardInterrupt"]);
    assert.match(await ran("(await long.run({ x })).y"), /0/);
  });
});
