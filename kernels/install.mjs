// Makes this checkout's tslab a Jupyter kernel named "luvit". Needs no Python; run `npm install` first.
//   node kernels/install.mjs [--user | --prefix FOLDER | --sys-prefix] [--remove]
//   node kernels/install.mjs --list
// --user (default) is Jupyter's data folder of this user, JUPYTER_DATA_DIR if set; --sys-prefix the active virtual or
// conda environment; --prefix any other. Folders as in jupyter_core/paths.py.
import { copyFileSync, existsSync, mkdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { delimiter, dirname, join, posix, resolve, win32 } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const logos = ["logo-32x32.png", "logo-64x64.png", "logo-svg.svg"];
const options = Object.fromEntries(
  ["user", "sys-prefix", "remove", "list", "help"].map((name) => [name, { type: "boolean", default: false }]),
);

/** Jupyter's data folder of a user. */
export function userDataFolder(platform, env, home) {
  if (env.JUPYTER_DATA_DIR) return env.JUPYTER_DATA_DIR;
  if (platform === "darwin") return posix.join(home, "Library", "Jupyter");
  if (platform === "win32")
    return win32.join(env.APPDATA || win32.join(home, "AppData", "Roaming"), "jupyter");
  return posix.join(env.XDG_DATA_HOME || posix.join(home, ".local", "share"), "jupyter");
}

/** What Jupyter needs to know to start the kernel. */
export function kernelSpec() {
  const tslab = dirname(createRequire(import.meta.url).resolve("tslab/package.json"));
  return {
    argv: [process.execPath, join(tslab, "bin", "tslab"), "kernel", "--config-path={connection_file}"],
    display_name: "TypeScript · LUViT",
    language: "typescript",
    env: { NODE_OPTIONS: "--enable-source-maps", TF_CPP_MIN_LOG_LEVEL: "2" },
  };
}

function environmentFolder() {
  const { VIRTUAL_ENV, CONDA_PREFIX } = process.env;
  if (VIRTUAL_ENV || CONDA_PREFIX) return VIRTUAL_ENV || CONDA_PREFIX;
  throw new Error("--sys-prefix: no virtual or conda environment is active; use --prefix FOLDER");
}

const inPrefix = (prefix) => join(resolve(prefix), "share", "jupyter");

function targetFolder(chosen) {
  const places = [chosen.user, chosen.prefix !== undefined, chosen["sys-prefix"]].filter(Boolean).length;
  if (places > 1) throw new Error("give one of --user, --prefix FOLDER, --sys-prefix");
  const user = () => resolve(userDataFolder(process.platform, process.env, homedir()));
  const data = chosen["sys-prefix"]
    ? inPrefix(environmentFolder())
    : chosen.prefix
      ? inPrefix(chosen.prefix)
      : user();
  return join(data, "kernels", "luvit");
}

/** Every place where Jupyter might find the kernel. */
function installedFolders() {
  const { VIRTUAL_ENV, CONDA_PREFIX, JUPYTER_PATH = "", PROGRAMDATA = "C:\\ProgramData" } = process.env;
  const own = [...JUPYTER_PATH.split(delimiter), userDataFolder(process.platform, process.env, homedir())];
  const prefixes = [VIRTUAL_ENV, CONDA_PREFIX, "/usr/local", "/usr"].filter(Boolean).map(inPrefix);
  const folders = [...own.filter(Boolean), ...prefixes, join(PROGRAMDATA, "jupyter")];
  const kernels = folders.map((data) => join(resolve(data), "kernels", "luvit"));
  return [...new Set(kernels)].filter((folder) => existsSync(join(folder, "kernel.json")));
}

function install(folder) {
  const spec = kernelSpec();
  mkdirSync(folder, { recursive: true });
  for (const logo of logos) copyFileSync(join(here, "luvit", logo), join(folder, logo));
  writeFileSync(join(folder, "kernel.json"), `${JSON.stringify(spec, null, 2)}\n`);
  return `installed "${spec.display_name}" in ${folder}`;
}

function remove(folder) {
  if (!existsSync(join(folder, "kernel.json"))) return `nothing to remove in ${folder}`;
  rmSync(folder, { recursive: true });
  return `removed ${folder}`;
}

function main() {
  const { values } = parseArgs({ options: { ...options, prefix: { type: "string" } } });
  if (values.help)
    return "node kernels/install.mjs [--user | --prefix FOLDER | --sys-prefix] [--remove] | --list";
  if (values.list) return installedFolders().join("\n") || "the luvit kernel is not installed";
  return values.remove ? remove(targetFolder(values)) : install(targetFolder(values));
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    console.log(main());
  } catch (error) {
    console.error(
      error.code === "MODULE_NOT_FOUND" ? "tslab is not there: run `npm install` first" : error.message,
    );
    process.exitCode = 2;
  }
}
