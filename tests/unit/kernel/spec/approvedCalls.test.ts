import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { installedFolders, kernelFolder, userDataFolder } from "../../../../src/kernel/spec/folders";
import { foreignFiles, installKernel, kernelSpec, removeKernel } from "../../../../src/kernel/spec/install";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";

const folder = realpathSync(temporaryFolder("spec"));

test("where kernels are put and found is approved", async () => {
  const calls = new Calls({ folder });
  const machine = (platform: NodeJS.Platform, env: Record<string, string> = {}) => ({
    platform,
    env,
    home: "/home/me",
  });
  const machines = {
    Linux: machine("linux"),
    "Linux with XDG_DATA_HOME": machine("linux", { XDG_DATA_HOME: "/data" }),
    "an empty XDG_DATA_HOME": machine("linux", { XDG_DATA_HOME: "" }),
    macOS: machine("darwin", { XDG_DATA_HOME: "/data" }),
    Windows: machine("win32", { APPDATA: "C:\\Users\\me\\AppData" }),
    "Windows without APPDATA": machine("win32"),
    JUPYTER_DATA_DIR: machine("win32", { JUPYTER_DATA_DIR: "/own", APPDATA: "C:\\x" }),
    "an empty JUPYTER_DATA_DIR": machine("darwin", { JUPYTER_DATA_DIR: "" }),
    other: machine("freebsd"),
    "a virtual environment": machine("linux", { VIRTUAL_ENV: "/venv", CONDA_PREFIX: "/conda" }),
    "a conda environment": machine("linux", { CONDA_PREFIX: "/conda" }),
    "an empty one": machine("linux", { VIRTUAL_ENV: "", CONDA_PREFIX: "/conda" }),
  };
  for (const [name, one] of Object.entries(machines)) {
    await calls.does(name, () => userDataFolder(one));
    if (one.platform !== "win32") await calls.does("  user", () => kernelFolder("user", one));
    await calls.does("  environment", () => kernelFolder("sys-prefix", one));
  }
  await calls.does("a prefix", () => kernelFolder({ prefix: "/opt/x/../y" }, machines.Linux));
  const place = (path: string, isThere = true) => {
    const kernel = join(folder, path, "kernels", "luvit");
    mkdirSync(kernel, { recursive: true });
    if (isThere) writeFileSync(join(kernel, "kernel.json"), "{}");
    return join(folder, path);
  };
  const paths = [place("one"), place("two"), place("none", false), place("one")].join(delimiter);
  place("venv/share/jupyter");
  place("conda/share/jupyter");
  place("data/jupyter");
  const env = {
    JUPYTER_PATH: paths,
    VIRTUAL_ENV: join(folder, "venv"),
    CONDA_PREFIX: join(folder, "conda"),
    XDG_DATA_HOME: join(folder, "data"),
    PROGRAMDATA: join(folder, "program"),
  };
  place("program/jupyter");
  const own = (found: string[]) => found.filter((one) => one.startsWith(folder));
  await calls.does("found", () => own(installedFolders(machine("linux", env))));
  await calls.does("found without variables", () => own(installedFolders(machine("linux"))));
  await calls.does("found where data are the same", () =>
    own(
      installedFolders(
        machine("linux", {
          ...env,
          JUPYTER_DATA_DIR: join(folder, "two"),
          VIRTUAL_ENV: join(folder, "conda"),
        }),
      ),
    ),
  );
  calls.approve("kernel/spec/folders");
});

test("what is installed, refused and removed is approved", async () => {
  const calls = new Calls({ folder, node: process.execPath });
  const { argv, ...rest } = kernelSpec("/x/main.js") as { argv: string[] };
  calls.note("specification", [argv.slice(1), rest]);
  const at = (name: string) => join(folder, "kernels", name);
  const seen = (name: string) => (existsSync(at(name)) ? readdirSync(at(name)).sort() : "nothing");
  const spec = (name: string) =>
    JSON.parse(readFileSync(join(at(name), "kernel.json"), "utf8")) as {
      argv: string[];
      display_name: string;
    };
  await calls.does("install", () => installKernel(at("one")));
  calls.note("  there", [
    seen("one"),
    spec("one").display_name,
    statSync(join(at("one"), "logo-32x32.png")).size > 100,
  ]);
  await calls.does("again", () => installKernel(at("one"), {}));
  mkdirSync(at("other"), { recursive: true });
  for (const [name, text] of Object.entries({
    "another's": '{"display_name":"Python 3"}',
    "a number for a name": '{"display_name":5}',
    "no name": "{}",
    "no JSON": "{",
    "a list": "[]",
    null: "null",
  })) {
    writeFileSync(join(at("other"), "kernel.json"), text);
    await calls.once(`install over ${name}`, () => installKernel(at("other")));
    writeFileSync(join(at("other"), "kernel.json"), text);
    await calls.once(`remove ${name}`, () => removeKernel(at("other")));
    mkdirSync(at("other"), { recursive: true });
  }
  symlinkSync(at("one"), at("link"));
  await calls.once("install through a link", () => installKernel(at("link")));
  await calls.once("remove a link", () => removeKernel(at("link")));
  calls.note("  there", [seen("link"), seen("one").length]);
  writeFileSync(join(at("one"), "notes.txt"), "mine");
  await calls.once("remove where more is", () => removeKernel(at("one")));
  calls.note("  left", [seen("one"), foreignFiles(at("one"))]);
  await calls.once("remove again", () => removeKernel(at("one")));
  await calls.once("remove what is not there", () => removeKernel(at("nowhere")));
  calls.note("foreign files of nothing", foreignFiles(at("nowhere")));
  await calls.once("install beside it", () => installKernel(at("one")));
  mkdirSync(join(at("one"), "package"));
  writeFileSync(join(at("one"), "package", "package.json"), '{"name":"somebody"}');
  await calls.once("install over somebody's package", () => installKernel(at("one")));
  await calls.once("remove beside somebody's package", () => removeKernel(at("one")));
  calls.note("  left", seen("one"));
  await calls.once("install over it with a copy", () => installKernel(at("one"), { copy: true }));
  writeFileSync(join(at("one"), "package", "package.json"), '{"name":"luvit"}');
  await calls.once("install over an earlier copy", () => installKernel(at("one")));
  calls.note("  there", seen("one"));
  mkdirSync(join(at("one"), "package"));
  writeFileSync(join(at("one"), "package", "package.json"), '{"name":"luvit"}');
  await calls.once("remove with an earlier copy", () => removeKernel(at("one")));
  calls.note("  left", seen("one"));
  calls.approve("kernel/spec/install");
});
