import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { KernelClient } from "./client";

describe("without luvit.ready()", () => {
  it("single ops run in cells, however the library was imported", async () => {
    for (const [code, ...more] of [
      ['import { tf } from "luvit";\ntf.tensor([1, 2]).mul(2).sum()'],
      ['const { tf } = await import("luvit");\ntf.tensor([1, 2]).mul(2).sum()'],
      ['const name = "luvit";\n(await import(name)).tf.tensor([1, 2]).mul(2).sum()'],
      ['import { six } from "./local";\nsix'],
      ['const { tf } = require("luvit");', "tf.tensor([1, 2]).mul(2).sum()"],
    ]) {
      const kernel = await KernelClient.start();
      writeFileSync(
        join(kernel.folder, "local.ts"),
        'import { tf } from "luvit";\nexport const six = tf.tensor([1, 2]).mul(2).sum();\n',
      );
      let ran = await kernel.run(code!);
      for (const next of more) ran = await kernel.run(next);
      kernel.close();
      const value = ran.published.find(({ type }) => type === "execute_result");
      assert.match(String(value?.content.data["text/plain"]), /^float32 \[\]: min 6/, code);
    }
  });

  it("a forced backend is still taken", async () => {
    const kernel = await KernelClient.start();
    await kernel.run('import * as luvit from "luvit";\nconst x = luvit.tf.tensor([3]);');
    const { published } = await kernel.run(
      'await luvit.ready({ backend: "cpu" });\n[luvit.tf.getBackend(), x.mul(2).dataSync()[0]]',
    );
    kernel.close();
    const value = published.find(({ type }) => type === "execute_result");
    assert.equal(value?.content.data["text/plain"], "[ 'cpu', 6 ]");
  });

  it("the first op of a script says to call it, and after it runs", () => {
    const script = `
      const luvit = require(${JSON.stringify(join(__dirname, "../../../src/index.js"))});
      const { tf } = luvit;
      for (const op of [() => tf.tensor([1]), () => tf.add(1, 2), () => tf.backend()])
        try { op(); console.log("ran"); } catch (e) { console.log(e.code, e.message); }
      luvit.ready().then(() => { tf.tensor([1]).add(1).print(); process.exit(); });`;
    const printed = execFileSync(process.execPath, ["-e", script], { encoding: "utf8" }).trim().split("\n");
    for (const line of printed.slice(0, 3)) assert.match(line, /^engine .*`await luvit\.ready\(\)`/);
    assert.match(printed.slice(3).join("\n"), /\[2\]/);
  });
});
