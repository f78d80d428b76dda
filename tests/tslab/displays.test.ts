import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Content, KernelClient } from "../unit/kernel/client";
import { findUp } from "./support";

const repository = findUp(__dirname, "biome.json");
let kernel: KernelClient;

before(async () => {
  const tslab = join(repository, "node_modules", "tslab", "bin", "tslab");
  kernel = await KernelClient.start(
    (file) => [tslab, "kernel", `--config-path=${file}`],
    join(repository, "notebooks"),
  );
  const { reply } = await kernel.run('import * as luvit from "luvit";');
  assert.equal(reply.status, "ok");
});
after(() => kernel?.close());

/** What a cell displays, updates applied as a frontend does; displays may come after the cell has ended. */
async function displaysOf(code: string, finished: (bundles: Record<string, unknown>[]) => boolean) {
  const from = kernel.iopub.length;
  const { reply } = await kernel.run(code);
  assert.equal(reply.status, "ok");
  const bundles = () => {
    const shown = new Map<string, Record<string, unknown>>();
    for (const [index, { header, content }] of kernel.iopub.slice(from).entries()) {
      if (!header.msg_type.endsWith("display_data")) continue;
      const { data, transient }: Content = content;
      shown.set(transient?.display_id ?? String(index), data);
    }
    return [...shown.values()];
  };
  await kernel.until(() => finished(bundles()), 20_000, `displays of ${code}`);
  return bundles();
}

test("tslab's own kernel gets figures, tables and tensors as whole bundles", async () => {
  const [figure, table, tensor] = await displaysOf(
    `const curve = luvit.figures.lossCurves({ series: [{ name: "ViT", steps: [0, 1], values: [2, 1] }] });
luvit.show(curve);
luvit.show([{ model: "ViT", top1: 0.5 }]);
luvit.show({ shape: [2], data: new Float32Array([1, 2]) });`,
    (bundles) => bundles.length === 3 && bundles.every((bundle) => bundle["text/plain"] !== "…"),
  );
  assert.deepEqual(Object.keys(figure!).sort(), [
    "application/vnd.plotly.v1+json",
    "image/png",
    "text/html",
    "text/plain",
  ]);
  assert.match(String(table!["text/html"]), /<table[ >]/);
  assert.match(String(tensor!["text/plain"]), /^float32 \[2\]: min 1/);
});

test("in tslab's own kernel a value that ends a cell prints its line of text", async () => {
  const { published } = await kernel.run("curve");
  const text = published.filter(({ type }) => type === "stream").map(({ content }) => content.text);
  assert.match(text.join(""), /Figure: ViT 2 → 1 over 1 steps/);
});

test("in tslab's own kernel loops show one display that ends with its final state", async () => {
  const shown = await displaysOf(
    `for (const item of luvit.progress([1, 2, 3], { label: "outer" }))
  for (const inner of luvit.progress([1, 2], { label: "inner" })) await new Promise((resolve) => setTimeout(resolve, 60));`,
    (bundles) => bundles.length === 1 && String(bundles[0]!["text/plain"]).startsWith("outer 3 of 3"),
  );
  assert.match(String(shown[0]!["text/html"]), /luvit-progress/);
});

test("comms say which kernel they need, and clearing does nothing", async () => {
  const { published } = await kernel.run(
    'luvit.clearOutput(); try { luvit.openComm("x"); } catch (error) { console.log(String(error)); }',
  );
  const text = published.filter(({ type }) => type === "stream").map(({ content }) => content.text);
  assert.match(text.join(""), /comms need the kernel "TypeScript · LUViT"/);
});
