import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import sharp from "sharp";
import { findUp } from "./support";

const repository = findUp(__dirname, "biome.json");
const script = join(repository, "kernels", "install.mjs");

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "luvit-kernel-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs the installer where no environment and no Jupyter folder is set but those given. */
function installer(args: readonly string[], env: Record<string, string> = {}) {
  const { JUPYTER_DATA_DIR, JUPYTER_PATH, VIRTUAL_ENV, CONDA_PREFIX, ...rest } = process.env;
  const run = spawnSync(process.execPath, [script, ...args], { env: { ...rest, ...env }, encoding: "utf8" });
  return { status: run.status, text: run.stdout + run.stderr };
}

test("the kernel is installed with absolute paths, environment and logos, listed, and removed", async () => {
  const env = { JUPYTER_DATA_DIR: temporaryFolder() };
  const folder = join(env.JUPYTER_DATA_DIR, "kernels", "luvit");
  const { status, text } = installer([], env);
  assert.equal(status, 0, text);
  assert.equal(text, `installed "TypeScript · LUViT" in ${folder}\n`);
  assert.deepEqual(readdirSync(folder).sort(), [
    "kernel.json",
    "logo-32x32.png",
    "logo-64x64.png",
    "logo-svg.svg",
  ]);
  const spec = JSON.parse(readFileSync(join(folder, "kernel.json"), "utf8"));
  const [node, tslab, ...rest] = spec.argv;
  assert.equal(node, process.execPath);
  assert.ok(isAbsolute(tslab) && existsSync(tslab) && tslab.startsWith(join(repository, "node_modules")));
  assert.deepEqual(rest, ["kernel", "--config-path={connection_file}"]);
  assert.deepEqual([spec.display_name, spec.language], ["TypeScript · LUViT", "typescript"]);
  assert.deepEqual(spec.env, { NODE_OPTIONS: "--enable-source-maps", TF_CPP_MIN_LOG_LEVEL: "2" });
  for (const side of [32, 64]) {
    const { width, height, format } = await sharp(join(folder, `logo-${side}x${side}.png`)).metadata();
    assert.deepEqual([width, height, format], [side, side, "png"]);
  }
  assert.ok(installer(["--list"], env).text.split("\n").includes(folder));
  assert.equal(installer(["--user"], env).status, 0, "installing again replaces it");
  assert.equal(installer(["--remove"], env).text, `removed ${folder}\n`);
  assert.ok(!existsSync(folder));
  assert.equal(installer(["--remove"], env).text, `nothing to remove in ${folder}\n`);
});

test("what the kernel starts is tslab", () => {
  const prefix = temporaryFolder();
  installer(["--prefix", prefix]);
  const spec = JSON.parse(
    readFileSync(join(prefix, "share", "jupyter", "kernels", "luvit", "kernel.json"), "utf8"),
  );
  const { stdout } = spawnSync(spec.argv[0], [spec.argv[1], "--version"], { encoding: "utf8" });
  assert.match(stdout, /^tslab 1\./);
});

test("--prefix and --sys-prefix write below share/jupyter", () => {
  for (const [args, variable] of [
    [["--prefix"], undefined],
    [["--sys-prefix"], "VIRTUAL_ENV"],
    [["--sys-prefix"], "CONDA_PREFIX"],
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
  const refused = (args: readonly string[], pattern: RegExp) => {
    const { status, text } = installer(args, env);
    assert.equal(status, 2);
    assert.match(text, pattern);
    assert.doesNotMatch(text, /\n\s+at /, "no stack");
  };
  refused(["--user", "--prefix", folder], /give one of/);
  refused(["--sys-prefix"], /no virtual or conda environment/);
  refused(["--everywhere"], /--everywhere/);
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
  const source = `import { userDataFolder } from ${JSON.stringify(pathToFileURL(script).href)};
const cases = ${JSON.stringify(cases)};
console.log(JSON.stringify(cases.map(([platform, env, home]) => userDataFolder(platform, env, home))));`;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", source], { encoding: "utf8" });
  assert.deepEqual(
    JSON.parse(stdout),
    cases.map(([, , , folder]) => folder),
  );
});
