import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Content, type Exchange, KernelClient } from "./client";

let kernel: KernelClient;

before(async () => {
  kernel = await KernelClient.start();
});
after(() => kernel.close());

const ok = async (code: string): Promise<Exchange> => {
  const exchange = await kernel.run(code, {});
  assert.equal(exchange.reply.status, "ok", JSON.stringify(exchange.reply));
  return exchange;
};
const result = ({ published }: Exchange): Content =>
  published.find(({ type }) => type === "execute_result")?.content.data;

/** What the kernel sent through a comm. */
const sent = (comm: string, type = "comm_msg"): Content[] =>
  kernel.iopub
    .filter(({ header, content }) => header.msg_type === type && content.comm_id === comm)
    .map(({ content }) => content.data);

const open = (comm: string, page: unknown) =>
  kernel.send("comm_open", { comm_id: comm, target_name: "luvit.heads", data: { page } });
const ask = (comm: string, data: object) => kernel.send("comm_msg", { comm_id: comm, data });

const off = [
  { layer: "blocks.0", head: 1 },
  { layer: "blocks.2", head: 0 },
];

async function pageOf(code: string): Promise<{ kernel: string; page: string }> {
  const html = result(await ok(code))["text/html"] as string;
  return JSON.parse(/class="luvit-attention-header">([^<]*)</.exec(html)![1]!).live;
}

test("a page asks its kernel what the model answers with several heads off", async () => {
  await ok(`import * as luvit from "luvit";
const encoder = { imageSize: 16, patchSize: 4, dim: 24, depth: 3, heads: 3, mlpRatio: 2 };
let model = luvit.classifier.create({ encoder, classes: 4, classNames: ["ant", "bee", "cat", "dog"], seed: 5 });
const data = Uint8Array.from({ length: 768 }, (_, i) => (i * 37) % 256);
const photo = { data, width: 16, height: 16 };
await luvit.ready();
const options = { ablate: true, classes: [2, 0], engine: "eager" } as const;`);
  const live = await pageOf("await luvit.figures.lookInside(model, photo, options)");
  assert.match(live.kernel, /^[\w-]{36}$/);
  open("one", live.page);
  ask("one", { ask: 7, panel: 0, off });
  ask("one", { ask: 8, panel: 0, off: [] });
  await kernel.until(() => sent("one").length === 2);
  const [without, whole] = sent("one");
  assert.deepEqual([without.ask, whole.ask], [7, 8]);
  const expected = JSON.parse(
    result(
      await ok(`const off = (name: string, value: luvit.Tensor) => {
  const head = { "blocks.0.attn.heads": 1, "blocks.2.attn.heads": 0 }[name];
  if (head === undefined) return value;
  const open = [0, 1, 2].map((one) => Number(one !== head));
  return luvit.tf.mul(value, luvit.tf.tensor(open, [1, 3, 1, 1]));
};
const [sample] = await luvit.analysis.lens(model, photo, { engine: "eager" });
const images = luvit.tf.tensor(sample.sample.image, [1, 3, 16, 16]);
JSON.stringify([{ edit: off }, {}].map((context) => [...luvit.tf.softmax(model.forward(images, context)).dataSync()]))`),
    )["text/plain"].replace(/^'|'$/g, ""),
  ) as number[][];
  for (const [i, answer] of [without, whole].entries()) {
    const chances = expected[i]!;
    const top = chances.indexOf(Math.max(...chances));
    assert.equal(answer.label, ["ant", "bee", "cat", "dog"][top]);
    for (const [k, label] of [2, 0].entries())
      assert.ok(Math.abs(answer.chances[k] - chances[label]!) < 1e-5, `${answer.chances} and ${chances}`);
  }
  assert.ok(Math.abs(without.chances[0] - whole.chances[0]) > 1e-6);
  kernel.send("comm_close", { comm_id: "one", data: {} });
  const { reply } = await kernel.ask("comm_info_request", { target_name: "luvit.heads" });
  assert.deepEqual(reply.comms, {});
});

test("pages, models and heads that are not there close the comm, with the reason", async () => {
  const { page } = await pageOf("await luvit.figures.lookInside(model, photo, options)");
  const refused = async (comm: string, id: unknown, data: object, why: RegExp) => {
    open(comm, id);
    ask(comm, data);
    await kernel.until(() => sent(comm, "comm_close").length === 1);
    assert.match(sent(comm, "comm_close")[0].problem, why);
  };
  await refused("unknown", "another", { ask: 0, panel: 0, off }, /does not know this page/);
  await refused("panel", page, { ask: 0, panel: 1, off }, /no model 1/);
  await refused(
    "head",
    page,
    { ask: 0, panel: 0, off: [{ layer: "blocks.0", head: 3 }] },
    /no head 3 of blocks\.0/,
  );
  await refused("shape", page, { ask: 0, panel: 0, off: { length: 1 } }, /no head undefined/);
  await ok("luvit.tf.tidy(() => model.head.weight.value.assign(luvit.tf.mul(model.head.weight.value, 2)));");
  await refused("changed", page, { ask: 0, panel: 0, off }, /may have changed/);
  const again = await pageOf("await luvit.figures.lookInside(model, photo, options)");
  await ok("model.dispose();");
  await refused("freed", again.page, { ask: 0, panel: 0, off }, /is gone or/);
  const { reply } = await kernel.ask("comm_info_request", { target_name: "luvit.heads" });
  assert.deepEqual(reply.comms, {});
});
