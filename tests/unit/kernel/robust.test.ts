import assert from "node:assert/strict";
import { test } from "node:test";
import { KernelClient } from "./client";

test("many lines, many displays and a large value arrive whole and in order, and the kernel goes on", async () => {
  const kernel = await KernelClient.start();
  try {
    const lines = await kernel.run('for (let i = 0; i < 20_000; i++) console.log("line", i);');
    const text = lines.published.map(({ type, content }) => (type === "stream" ? content.text : "")).join("");
    assert.equal(text, Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`).join(""));

    const shown = await kernel.run(
      'import { display } from "tslab";\nfor (let i = 0; i < 500; i++) display.html(String(i));',
    );
    const displays = shown.published.filter(({ type }) => type === "display_data");
    assert.deepEqual(
      displays.map(({ content }) => content.data["text/html"]),
      Array.from({ length: 500 }, (_, i) => String(i)),
    );

    const large = await kernel.run('"x".repeat(5_000_000)');
    const result = large.published.find(({ type }) => type === "execute_result");
    assert.equal(result?.content.data["text/plain"].length, 5_000_000);
    const { reply } = await kernel.ask("history_request", { hist_access_type: "tail", n: 1, output: true });
    assert.equal(reply.history[0][2][1].length, 10_001, "history keeps the beginning");
    assert.equal((await kernel.run("1 + 1")).reply.status, "ok");
  } finally {
    kernel.close();
  }
});

test("three kernels at once keep to themselves", async () => {
  const kernels = await Promise.all(Array.from({ length: 3 }, () => KernelClient.start()));
  try {
    await Promise.all(kernels.map((kernel, i) => kernel.run(`const own = ${i};`)));
    const values = await Promise.all(kernels.map((kernel) => kernel.run("own")));
    const shown = values.map(
      ({ published }) => published.find(({ type }) => type === "execute_result")?.content.data["text/plain"],
    );
    assert.deepEqual(shown, ["0", "1", "2"]);
  } finally {
    for (const kernel of kernels) kernel.close();
  }
});
