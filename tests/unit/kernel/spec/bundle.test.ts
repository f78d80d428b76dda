import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { copyPackage } from "../../../../src/kernel/spec/bundle";
import { installKernel, removeKernel } from "../../../../src/kernel/spec/install";
import { temporaryFolder } from "../../io/support";
import { isLuvitError } from "../../nn/support";
import { KernelClient } from "../client";

const options = { timeout: 300_000 };

const checkout = join(temporaryFolder(), "luvit");
let bytes: number;
before(() => {
  bytes = copyPackage(checkout);
}, options);

test("the copy has what this system runs, no other's, nothing of those who build it", () => {
  assert.ok(bytes > 50e6 && bytes < 400e6, `${bytes} bytes`);
  const natives = join(checkout, "node_modules", "onnxruntime-node", "bin");
  const systems = readdirSync(join(natives, readdirSync(natives)[0]!));
  assert.deepEqual(systems, [process.platform]);
  const modules = readdirSync(join(checkout, "node_modules"));
  for (const tool of ["typedoc", "esbuild", "playwright-core", "luvit"])
    assert.ok(!modules.includes(tool), tool);
  assert.ok(existsSync(join(checkout, "data", "imagenet-1k", "wnids.txt")));
});

test("an installed kernel runs on when the checkout that it came from is gone", options, async () => {
  const [prefix, work] = [temporaryFolder(), temporaryFolder()];
  const words = [join(checkout, "dist", "cli.js"), "kernel", "install", "--prefix", prefix];
  const said = execFileSync(process.execPath, words, { encoding: "utf8" });
  const folder = join(prefix, "share", "jupyter", "kernels", "luvit");
  assert.match(said, /a copy of \d+ MB, which needs this place no more\n$/);
  rmSync(checkout, { recursive: true });

  const { argv } = JSON.parse(readFileSync(join(folder, "kernel.json"), "utf8")) as { argv: string[] };
  const kernel = await KernelClient.start((file) => [...argv.slice(1, -1), file], work);
  const textOf = async (code: string) => {
    const { reply, published } = await kernel.run(code);
    assert.equal(reply.status, "ok", JSON.stringify(reply));
    const result = published.find(({ type }) => type === "execute_result" || type === "display_data");
    return String(result?.content.data["text/plain"]);
  };
  await textOf('import * as luvit from "luvit"; await luvit.ready()');
  await textOf("const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 })");
  assert.match(await textOf("model.counts().total"), /^\d+$/);
  const { reply } = await kernel.run("const wrong: string = luvit.vit.toy.depth");
  assert.match(reply.evalue, /'number' is not assignable to type 'string'/, "types come with the copy");
  await kernel.ask("shutdown_request", { restart: false }, "control");
  kernel.close();

  assert.equal(removeKernel(folder), true);
  assert.equal(existsSync(folder), false);
});

test("a folder `package` of somebody else, or a link there, is neither replaced nor removed", () => {
  for (const make of [mkdirSync, (path: string) => symlinkSync(temporaryFolder(), path)]) {
    const folder = temporaryFolder();
    installKernel(folder);
    make(join(folder, "package"));
    if (make === mkdirSync) writeFileSync(join(folder, "package", "mine.txt"), "mine");
    assert.throws(() => installKernel(folder), isLuvitError("bad-argument", "is not this command's"));
    removeKernel(folder);
    assert.deepEqual(readdirSync(folder), ["package"]);
  }
});
