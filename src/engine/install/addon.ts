import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { LuvitError } from "../../core/errors";
import { makeFolder } from "../../core/makeFolder";
import { type Finished, lastLines, runCommand } from "./command";
import { explainNpm, findNodeGyp, npm } from "./npm";
import type { Python } from "./python";

export const TFJS_VERSION = "4.22.0";
export const TFJS_PACKAGE = "@tensorflow/tfjs-node-gpu";

/** Version of Node-API the addon is built for; every Node from 16 has it. */
const NODE_API = 8;
export const ADDON = join("lib", `napi-v${NODE_API}`, "tfjs_binding.node");

/** Puts the package's sources into `folder`; none of its scripts run. */
export async function fetchAddonSources(folder: string): Promise<void> {
  const packed = await npm(["pack", `${TFJS_PACKAGE}@${TFJS_VERSION}`], folder);
  const archive = readdirSync(folder).find((name) => name.endsWith(".tgz"));
  if (packed.status !== 0 || !archive) throw explainNpm(`${TFJS_PACKAGE}@${TFJS_VERSION}`, packed);
  const unpacked = await runCommand("tar", ["-xzf", archive, "--strip-components=1"], { cwd: folder });
  rmSync(join(folder, archive));
  if (unpacked.status === 0) return;
  throw new LuvitError("engine", `tar could not unpack ${archive}\n${lastLines(unpacked.output)}`);
}

/** Moves libraries and headers of an unpacked wheel to where the addon's build looks for them. */
export function placeLibraries(wheelFolder: string, folder: string): void {
  const source = join(wheelFolder, "tensorflow");
  const libraries = join(folder, "deps", "lib");
  makeFolder(libraries);
  const missing = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"].filter(
    (name) => !existsSync(join(source, name)),
  );
  if (missing.length > 0) {
    const message = `the wheel has no ${missing.join(" and no ")}; a TensorFlow from 2.14 on is needed`;
    throw new LuvitError("engine", message);
  }
  renameSync(join(source, "include"), join(folder, "deps", "include"));
  for (const name of ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"])
    renameSync(join(source, name), join(libraries, name));
  for (const name of ["libtensorflow.so", "libtensorflow.so.2"])
    symlinkSync("libtensorflow_cc.so.2", join(libraries, name));
  symlinkSync("libtensorflow_framework.so.2", join(libraries, "libtensorflow_framework.so"));
}

/**
 * Compiles the addon in `folder`, where sources and libraries lie.
 *
 * @throws LuvitError("engine") saying what is missing.
 */
export async function buildAddon(folder: string, python: Python): Promise<void> {
  const nodeGyp = await findNodeGyp(folder);
  const places = headerFolders();
  const exact = places.find(({ version }) => version === process.versions.node);
  let finished = await runNodeGyp(nodeGyp, folder, python, exact?.folder);
  // Node-API is the same in every version, so other headers do where the right ones cannot be fetched.
  const other = places.find((place) => place !== exact);
  if (finished.status !== 0 && !exact && other && areHeadersMissing(finished))
    finished = await runNodeGyp(nodeGyp, folder, python, other.folder);
  if (finished.status !== 0 || !existsSync(join(folder, ADDON))) throw explainBuild(finished);
}

function runNodeGyp(nodeGyp: string, folder: string, python: Python, headers: string | undefined) {
  const module = ["--module_name=tfjs_binding", `--module_path=${dirname(join(folder, ADDON))}`];
  const args = [nodeGyp, "rebuild", ...module, `--napi_build_version=${NODE_API}`];
  if (headers) args.push(`--nodedir=${headers}`);
  const environment = python.args.length === 0 ? { npm_config_python: python.command } : undefined;
  return runCommand(process.execPath, args, { cwd: folder, environment });
}

/** Folders with Node's headers on this machine. */
function headerFolders(): { folder: string; version: string }[] {
  const folders = [join(dirname(process.execPath), ".."), "/usr/local", "/usr"];
  return [...new Set(folders)].flatMap((folder) => {
    const file = join(folder, "include", "node", "node_version.h");
    if (!existsSync(file)) return [];
    const text = readFileSync(file, "utf8");
    const part = (name: string) => new RegExp(`#define NODE_${name}_VERSION (\\d+)`).exec(text)?.[1];
    return [{ folder, version: ["MAJOR", "MINOR", "PATCH"].map(part).join(".") }];
  });
}

const areHeadersMissing = ({ output }: Finished) =>
  /headers|FetchError|ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|response downloading/i.test(output);

/** What node-gyp's output means and what to do about it. */
export function explainBuild(finished: Finished): LuvitError {
  const { output } = finished;
  const tools =
    "(Debian and Ubuntu: apt install build-essential python3; Fedora: dnf install gcc-c++ make python3)";
  const reasons: [RegExp, string][] = [
    [/not found: make|make: (command )?not found|spawn make ENOENT/i, `there is no make ${tools}`],
    [/(g\+\+|c\+\+|gcc|cc1plus|clang)[^\n]*(not found|No such file)/i, `there is no C++ compiler ${tools}`],
    [/find Python|distutils/i, `node-gyp found no Python it can use ${tools}; name one in PYTHON`],
    [/No space left|ENOSPC/i, "the disk is full"],
    [
      /fatal error: [^\n]*\.h: No such file/i,
      "a header is missing: this TensorFlow's headers are laid out in a new way; ask pip for 2.21 (--tensorflow 2.21.0)",
    ],
  ];
  const found = reasons.find(([pattern]) => pattern.test(output))?.[1];
  const headers = areHeadersMissing(finished)
    ? "Node's headers could not be fetched: check the network, or install them (Debian: apt install libnode-dev)"
    : undefined;
  const reason = found ?? headers ?? "the compiler failed";
  return new LuvitError("engine", `building the addon: ${reason}\n${lastLines(output)}`);
}

/** Keeps what loading takes: the addon, its libraries and what they need. */
export function dropBuildFiles(folder: string): void {
  const kept = new Set(["lib", "deps"]);
  for (const name of readdirSync(folder))
    if (!kept.has(name)) rmSync(join(folder, name), { recursive: true });
  rmSync(join(folder, "deps", "include"), { recursive: true, force: true });
}

/** Copies the part of an installed package that loading takes. */
export function takeInstalledAddon(packageFolder: string, folder: string): string {
  const addon = findAddon(packageFolder);
  if (!addon) throw new LuvitError("engine", `${TFJS_PACKAGE} was installed but has no addon`);
  makeFolder(join(folder, dirname(addon)));
  copyFileSync(join(packageFolder, addon), join(folder, addon));
  renameSync(join(packageFolder, "deps"), join(folder, "deps"));
  return addon;
}

/** Path of the addon inside a package folder, the newest Node-API first. */
export function findAddon(packageFolder: string): string | undefined {
  const library = join(packageFolder, "lib");
  if (!existsSync(library)) return undefined;
  const versions = readdirSync(library)
    .filter((name) => /^napi-v\d+$/.test(name))
    .sort((a, b) => Number(b.slice(6)) - Number(a.slice(6)));
  const paths = versions.map((version) => join("lib", version, "tfjs_binding.node"));
  return paths.find((path) => existsSync(join(packageFolder, path)));
}
