import assert from "node:assert/strict";
import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { test } from "node:test";
import {
  installedFolders,
  kernelFolder,
  type Machine,
  userDataFolder,
} from "../../../../src/kernel/spec/folders";
import { kernelSpec } from "../../../../src/kernel/spec/install";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { isLuvitError } from "../../nn/support";

const machine = (
  env: NodeJS.ProcessEnv = {},
  platform: NodeJS.Platform = "linux",
  home = "/home/me",
): Machine => ({
  ...{ platform, env, home },
});

test("a user's data are where Jupyter has them on each system, and where a variable says", () => {
  for (const [folder, env, platform, home] of [
    ["/home/me/.local/share/jupyter", {}, "linux", "/home/me"],
    ["/data/jupyter", { XDG_DATA_HOME: "/data" }, "linux", "/home/me"],
    ["/home/me/.local/share/jupyter", { XDG_DATA_HOME: "" }, "freebsd", "/home/me"],
    ["/Users/me/Library/Jupyter", { XDG_DATA_HOME: "/data" }, "darwin", "/Users/me"],
    ["C:\\Users\\me\\AppData\\Roaming\\jupyter", {}, "win32", "C:\\Users\\me"],
    ["D:\\Roaming\\jupyter", { APPDATA: "D:\\Roaming" }, "win32", "C:\\Users\\me"],
    ["/own", { JUPYTER_DATA_DIR: "/own", XDG_DATA_HOME: "/data" }, "linux", "/home/me"],
    ["/own", { JUPYTER_DATA_DIR: "/own" }, "darwin", "/Users/me"],
  ] as const)
    assert.equal(userDataFolder(machine(env, platform, home)), folder);
});

test("the kernel is put into the user's folder, below a prefix, or into the active environment, the virtual one first", () => {
  const environments = { VIRTUAL_ENV: "/venv", CONDA_PREFIX: "/conda" };
  for (const [target, env, folder] of [
    ["user", environments, "/home/me/.local/share/jupyter"],
    [{ prefix: "/pre" }, environments, "/pre/share/jupyter"],
    [{ prefix: "rel" }, {}, join(resolve("rel"), "share", "jupyter")],
    ["sys-prefix", environments, "/venv/share/jupyter"],
    ["sys-prefix", { VIRTUAL_ENV: "", CONDA_PREFIX: "/conda" }, "/conda/share/jupyter"],
  ] as const)
    assert.equal(kernelFolder(target, machine(env)), join(folder, "kernels", "luvit"));
  assert.throws(
    () => kernelFolder("sys-prefix", machine()),
    isLuvitError(
      "bad-argument",
      "--sys-prefix: no virtual or conda environment is active; use --prefix <folder>",
    ),
  );
});

test("kernels are found in every place where Jupyter looks, each once, those of the user first", () => {
  const root = temporaryFolder("places");
  const put = (...parts: string[]) => {
    const folder = join(root, ...parts, "kernels", "luvit");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "kernel.json"), "{}");
    return folder;
  };
  const places = [
    put("one"),
    put("two"),
    put("data"),
    put("venv", "share", "jupyter"),
    put("conda", "share", "jupyter"),
    put("program", "jupyter"),
  ];
  mkdirSync(join(root, "empty", "kernels", "luvit"), { recursive: true });
  const path = ["one", "two", "empty", "", "one"].map((name) => name && join(root, name));
  const env = {
    ...{ JUPYTER_PATH: path.join(delimiter), JUPYTER_DATA_DIR: join(root, "data") },
    ...{
      VIRTUAL_ENV: join(root, "venv"),
      CONDA_PREFIX: join(root, "conda"),
      PROGRAMDATA: join(root, "program"),
    },
  };
  const found = installedFolders(machine(env)).filter((folder) => folder.startsWith(root));
  assert.deepEqual(found, places);
});

test("the current folder is no place of kernels, whichever variable is empty", (t) => {
  const root = realpathSync(temporaryFolder("here"));
  const place = process.cwd();
  t.after(() => process.chdir(place));
  process.chdir(root);
  for (const parts of [[], ["jupyter"], ["share", "jupyter"]]) {
    const folder = join(root, ...parts, "kernels", "luvit");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "kernel.json"), "{}");
  }
  const found = (env: NodeJS.ProcessEnv) =>
    installedFolders(machine({ PROGRAMDATA: join(root, "none"), ...env })).filter((folder) =>
      folder.startsWith(root),
    );
  for (const env of [
    {},
    { JUPYTER_PATH: "" },
    { JUPYTER_PATH: delimiter },
    { JUPYTER_DATA_DIR: "", VIRTUAL_ENV: "", CONDA_PREFIX: "" },
  ])
    assert.deepEqual(found(env), []);
  assert.deepEqual(found({ JUPYTER_PATH: "." }), [join(root, "kernels", "luvit")], "but where it is named");
});

test("Jupyter starts the kernel by this Node, from anywhere, and ends its cells by messages", () => {
  assert.deepEqual(kernelSpec("/x/main.js"), {
    argv: [process.execPath, "/x/main.js", "{connection_file}"],
    display_name: "TypeScript · LUViT",
    ...{ language: "typescript", interrupt_mode: "message", metadata: { debugger: true } },
    env: { TF_CPP_MIN_LOG_LEVEL: "2" },
  });
  const { argv } = kernelSpec() as { argv: string[] };
  assert.ok(argv[1]!.endsWith(join("kernel", "main.js")) && resolve(argv[1]!) === argv[1], argv[1]);
});
