import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { kernelCommand } from "../../../../src/commandLine/kernelCommand";
import { installKernel, kernelSpec, removeKernel } from "../../../../src/kernel/spec/install";
import { temporaryFolder } from "../../io/support";
import { isLuvitError } from "../../nn/support";

const own = ["kernel.json", "logo-32x32.png", "logo-64x64.png", "logo-svg.svg"];
const place = () => join(temporaryFolder(), "kernels", "luvit");

test("what is installed is the specification and the logos, and removing takes the folder with them", () => {
  const folder = place();
  installKernel(folder);
  installKernel(folder);
  assert.deepEqual(readdirSync(folder).sort(), own);
  assert.deepEqual(JSON.parse(readFileSync(join(folder, "kernel.json"), "utf8")), kernelSpec());
  assert.equal(removeKernel(folder), true);
  assert.equal(existsSync(folder), false);
  assert.equal(removeKernel(folder), false);
});

test("the copy of an earlier installation goes where none is wanted, and what is another's stays", () => {
  const folder = place();
  const copy = join(folder, "package");
  mkdirSync(join(copy, "dist"), { recursive: true });
  writeFileSync(join(copy, "package.json"), '{"name": "luvit"}');
  installKernel(folder);
  assert.equal(existsSync(copy), false);
  mkdirSync(copy);
  for (const name of ['{"name": "other"}', "damaged"]) {
    writeFileSync(join(copy, "package.json"), name);
    assert.throws(() => installKernel(folder), isLuvitError("bad-argument", "is not this command's"));
  }
  assert.equal(removeKernel(folder), true);
  assert.deepEqual(readdirSync(folder), ["package"]);
});

test("removing leaves files that are not the kernel's, and says which", async () => {
  const prefix = temporaryFolder();
  const folder = join(prefix, "share", "jupyter", "kernels", "luvit");
  installKernel(folder);
  writeFileSync(join(folder, "notes.md"), "mine");
  mkdirSync(join(folder, "data"));
  const lines: string[] = [];
  const print = (line: string) => void lines.push(line);
  assert.equal(await kernelCommand.run({ words: ["remove"], flags: { prefix }, print }), 0);
  assert.deepEqual(readdirSync(folder).sort(), ["data", "notes.md"]);
  assert.match(lines[0], /removed .*left there, as they are not the kernel's: data, notes\.md/);
});

test("installing writes through no link: neither a logo's nor the folder's own", () => {
  const [folder, elsewhere] = [place(), temporaryFolder()];
  const precious = join(elsewhere, "precious");
  writeFileSync(precious, "mine");
  mkdirSync(folder, { recursive: true });
  for (const name of own) symlinkSync(precious, join(folder, name));
  installKernel(folder);
  assert.equal(readFileSync(precious, "utf8"), "mine");
  assert.ok(own.every((name) => lstatSync(join(folder, name)).isFile()));

  const linked = place();
  mkdirSync(join(linked, ".."), { recursive: true });
  symlinkSync(elsewhere, linked);
  assert.throws(() => installKernel(linked), isLuvitError("bad-argument", "is a link"));
  assert.deepEqual(readdirSync(elsewhere), ["precious"]);
});

test("of a kernel that is a link only the link is removed", () => {
  const [real, linked] = [place(), place()];
  installKernel(real);
  mkdirSync(join(linked, ".."), { recursive: true });
  symlinkSync(real, linked);
  assert.equal(removeKernel(linked), true);
  assert.equal(existsSync(linked), false);
  assert.deepEqual(readdirSync(real).sort(), own);
});

test("another kernel in the folder is neither overwritten nor removed", () => {
  const folder = place();
  mkdirSync(folder, { recursive: true });
  const spec = join(folder, "kernel.json");
  writeFileSync(spec, '{"display_name": "Another"}');
  for (const act of [installKernel, removeKernel])
    assert.throws(() => act(folder), isLuvitError("bad-argument", '"Another"'));
  assert.deepEqual(readdirSync(folder), ["kernel.json"]);
  writeFileSync(spec, "damaged");
  installKernel(folder);
  assert.deepEqual(JSON.parse(readFileSync(spec, "utf8")), kernelSpec());
});
