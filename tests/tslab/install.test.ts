import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { after, test } from "node:test";
import sharp from "sharp";
import { type Machine, userDataFolder } from "../../src/kernel/spec/folders";
import { findUp } from "./support";

const repository = findUp(__dirname, "biome.json");
const script = join(repository, "build", "src", "cli.js");

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "luvit-kernel-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs the installer where no environment and no Jupyter folder is set but those given. */
function installer(args: readonly string[], env: Record<string, string> = {}) {
  const { JUPYTER_DATA_DIR, JUPYTER_PATH, VIRTUAL_ENV, CONDA_PREFIX, ...rest } = process.env;
  const run = spawnSync(process.execPath, [script, "kernel", ...args], {
    env: { ...rest, ...env },
    encoding: "utf8",
  });
  return { status: run.status, text: run.stdout + run.stderr };
}

test("the kernel is installed with absolute paths, environment and logos, listed, and removed", async () => {
  const env = { JUPYTER_DATA_DIR: temporaryFolder() };
  const folder = join(env.JUPYTER_DATA_DIR, "kernels", "luvit");
  const { status, text } = installer(["install", "--link"], env);
  assert.equal(status, 0, text);
  assert.equal(text, `installed "TypeScript · LUViT" in ${folder}: runs from here\n`);
  assert.deepEqual(readdirSync(folder).sort(), [
    "kernel.json",
    "logo-32x32.png",
    "logo-64x64.png",
    "logo-svg.svg",
  ]);
  const spec = JSON.parse(readFileSync(join(folder, "kernel.json"), "utf8"));
  const [node, kernel, ...rest] = spec.argv;
  assert.equal(node, process.execPath);
  assert.ok(isAbsolute(kernel) && existsSync(kernel) && kernel.endsWith(join("kernel", "main.js")));
  assert.deepEqual(rest, ["{connection_file}"]);
  assert.equal(spec.interrupt_mode, "message", "a signal would not reach a computing kernel");
  assert.deepEqual([spec.display_name, spec.language], ["TypeScript · LUViT", "typescript"]);
  assert.deepEqual(spec.env, { TF_CPP_MIN_LOG_LEVEL: "2" });
  for (const side of [32, 64]) {
    const { width, height, format } = await sharp(join(folder, `logo-${side}x${side}.png`)).metadata();
    assert.deepEqual([width, height, format], [side, side, "png"]);
  }
  assert.ok(installer(["list"], env).text.split("\n").includes(folder));
  assert.equal(installer(["install", "--user", "--link"], env).status, 0, "installing again replaces it");
  assert.equal(installer(["remove"], env).text, `removed ${folder}\n`);
  assert.ok(!existsSync(folder));
  assert.equal(installer(["remove"], env).text, `nothing to remove in ${folder}\n`);
});

test("plain tslab runs the library and shows what it displays", () => {
  const source = `
    const { createConverter } = require("tslab/dist/converter");
    const { createExecutor } = require("tslab/dist/executor");
    const shown = [], said = [];
    require("tslab/dist/jupyter").lastWriteDisplayData = ({ data }) => shown.push(data);
    const node = createConverter();
    const cells = createExecutor(process.cwd(), { node, browser: node, close() {} }, {
      log: (value) => said.push(String(value)), error: (...values) => said.push(values.join(" ")),
    });
    (async () => {
      await cells.execute('import * as luvit from "luvit";');
      await cells.execute('luvit.show(luvit.md("**bold**"));');
      await cells.execute('luvit.clearOutput(); luvit.inNotebook()');
      process.stdout.write(JSON.stringify({ shown, said }), () => process.exit(0));
    })();`;
  const { stdout, stderr } = spawnSync(process.execPath, ["-e", source], {
    cwd: repository,
    encoding: "utf8",
  });
  assert.deepEqual(JSON.parse(stdout || `"${stderr}"`), {
    shown: [{ "text/plain": "**bold**", "text/markdown": "**bold**" }],
    said: ["true"],
  });
});

test("--prefix and --sys-prefix write below share/jupyter", () => {
  for (const [args, variable] of [
    [["install", "--link", "--prefix"], undefined],
    [["install", "--link", "--sys-prefix"], "VIRTUAL_ENV"],
    [["install", "--link", "--sys-prefix"], "CONDA_PREFIX"],
  ] as const) {
    const prefix = temporaryFolder();
    const env: Record<string, string> = variable ? { [variable]: prefix } : {};
    const { status, text } = installer(variable ? args : [...args, prefix], env);
    assert.equal(status, 0, text);
    assert.ok(existsSync(join(prefix, "share", "jupyter", "kernels", "luvit", "kernel.json")));
  }
});

test("contradictory and unknown options, and --sys-prefix without an environment, are refused", () => {
  const folder = temporaryFolder();
  const env = { JUPYTER_DATA_DIR: folder };
  const refused = (args: readonly string[], pattern: RegExp, expected = 2) => {
    const { status, text } = installer(args, env);
    assert.equal(status, expected);
    assert.match(text, pattern);
    assert.doesNotMatch(text, /\n\s+at /, "no stack");
  };
  refused(["install", "--user", "--prefix", folder], /one of --user/);
  refused(["install", "--sys-prefix"], /no virtual or conda environment/, 1);
  refused(["remove", "--link"], /install also --link/);
  refused(["install", "--everywhere"], /--everywhere/);
  assert.deepEqual(readdirSync(folder), []);
  assert.match(installer(["--help"]).text, /--sys-prefix/);
});

test("the user's folder is Jupyter's on every system", () => {
  const cases = [
    ["linux", {}, "/home/ada", "/home/ada/.local/share/jupyter"],
    ["linux", { XDG_DATA_HOME: "/data" }, "/home/ada", "/data/jupyter"],
    ["darwin", { XDG_DATA_HOME: "/data" }, "/Users/ada", "/Users/ada/Library/Jupyter"],
    [
      "win32",
      { APPDATA: "C:\\Users\\ada\\AppData\\Roaming" },
      "C:\\Users\\ada",
      "C:\\Users\\ada\\AppData\\Roaming\\jupyter",
    ],
    ["win32", {}, "C:\\Users\\ada", "C:\\Users\\ada\\AppData\\Roaming\\jupyter"],
    ["win32", { JUPYTER_DATA_DIR: "D:\\jupyter" }, "C:\\Users\\ada", "D:\\jupyter"],
  ];
  assert.deepEqual(
    cases.map(([platform, env, home]) => userDataFolder({ platform, env, home } as Machine)),
    cases.map(([, , , folder]) => folder),
  );
});
