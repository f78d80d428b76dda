import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { engineCache } from "../../core/engineCache";
import { LuvitError } from "../../core/errors";
import { makeFolder } from "../../core/makeFolder";
import { isRunning } from "../../core/processes";
import { writeAtomically } from "../../core/writeAtomically";
import { ADDON, buildAddon, dropBuildFiles, fetchAddonSources, placeLibraries, TFJS_VERSION } from "./addon";
import {
  engineName,
  type InstalledEngine,
  installedEngines,
  MANIFEST,
  type Manifest,
  type Variant,
} from "./cache";
import { addCudaLibraries } from "./cuda";
import { compilesAtFirstUse, findGpu, type Gpu } from "./gpu";
import { findPython } from "./python";
import { installStock } from "./stock";
import { verifyAddon } from "./verify";
import { downloadWheel, unpackWheel } from "./wheel";

export interface InstallOptions {
  /** Default "cpu". */
  variant?: Variant;
  /** A version of TensorFlow; default the newest that pip offers. */
  tensorflow?: string;
  /** Takes one line about every stage. */
  report?: (line: string) => void;
}

/** Wheel, unpacked files and build at their largest, bytes. */
const ROOM: Record<Variant, number> = { cpu: 2e9, cuda: 12e9, stock: 4e9 };

/**
 * Makes a TensorFlow engine in the cache: in a folder of its own that takes its place only after the addon has loaded
 * and multiplied.
 *
 * @throws LuvitError("engine") saying what is missing and what to do; the cache is then as it was.
 */
export async function installEngine(options: InstallOptions = {}): Promise<InstalledEngine> {
  const { variant = "cpu", report = () => {} } = options;
  const gpu = variant === "cuda" ? await findGpu() : undefined;
  const cache = engineCache();
  const work = makeWorkFolder(cache, ROOM[variant]);
  try {
    const folder = join(work, "engine");
    mkdirSync(folder);
    const addon =
      variant === "stock" ? await takeStock(work, folder, report) : await build(work, folder, options);
    report("loading it and multiplying two matrices");
    if (gpu && compilesAtFirstUse(gpu)) report(firstUse(gpu));
    const verified = await verifyAddon(join(folder, addon), folder, gpu);
    const { platform, arch } = process;
    const manifest: Manifest = {
      ...{ variant, tensorflow: verified.tensorflow, tfjs: TFJS_VERSION, platform, arch, addon },
      ...{ installed: new Date().toISOString(), bytes: bytesOf(folder) },
    };
    writeAtomically(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
    report(
      `TensorFlow ${verified.tensorflow}, ${verified.gpu ? `on ${gpu?.name ?? "a GPU"}` : "on the CPU"}, error ${verified.error.toExponential(1)}`,
    );
    return moveIntoPlace(folder, join(cache, engineName(manifest)), manifest);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const firstUse = ({ name }: Gpu) =>
  `the driver now compiles TensorFlow's kernels for ${name}, once: this can take half an hour`;

/** Removes engines by name, or all. Gives back the names of those that are gone. */
export function removeEngines(names?: readonly string[]): string[] {
  const installed = installedEngines({ here: false });
  const unknown = (names ?? []).filter((name) => !installed.some((engine) => engine.name === name));
  if (unknown.length > 0) {
    const known = installed.map(({ name }) => name).join(", ") || "none";
    throw new LuvitError(
      "bad-argument",
      `engine remove: no ${unknown.join(", ")} in ${engineCache()}; there: ${known}`,
    );
  }
  const chosen = installed.filter(({ name }) => names === undefined || names.includes(name));
  for (const { folder } of chosen) rmSync(folder, { recursive: true, force: true });
  return chosen.map(({ name }) => name);
}

async function takeStock(work: string, folder: string, report: (line: string) => void): Promise<string> {
  report(`installing tfjs-node-gpu ${TFJS_VERSION} with its own download`);
  return installStock(work, folder);
}

async function build(work: string, folder: string, options: InstallOptions): Promise<string> {
  const { variant, tensorflow, report = () => {} } = options;
  if (process.platform !== "linux") {
    const message = `building against pip's wheel works on Linux; on ${process.platform} use --stock, which takes what tfjs-node-gpu downloads`;
    throw new LuvitError("engine", message);
  }
  const python = await findPython();
  const name = variant === "cuda" || process.arch !== "x64" ? "tensorflow" : "tensorflow-cpu";
  const requirement = tensorflow === undefined ? name : `${name}==${tensorflow}`;
  report(`downloading ${requirement} with pip (a few hundred MB)`);
  const wheel = await downloadWheel(python, requirement, work);
  report(`unpacking ${name} ${wheel.version} (${megabytes(wheel.bytes)})`);
  const unpacked = join(work, "wheel");
  await unpackWheel(python, wheel, unpacked);
  if (variant === "cuda") await addCudaLibraries(python, wheel, work, folder, report);
  rmSync(wheel.path);
  report(`fetching tfjs-node-gpu ${TFJS_VERSION} from the npm registry`);
  await fetchAddonSources(folder);
  placeLibraries(unpacked, folder);
  report("compiling the addon with node-gyp (some 20 seconds)");
  await buildAddon(folder, python);
  dropBuildFiles(folder);
  return ADDON;
}

/** A folder beside the engines, on the same disk; what dead installations left is cleared away. */
export function makeWorkFolder(cache: string, room: number): string {
  try {
    makeFolder(cache);
  } catch (cause) {
    const message = `cannot write to ${cache}: ${(cause as Error).message}; set LUVIT_ENGINE_CACHE to another folder`;
    throw new LuvitError("engine", message, { cause });
  }
  for (const name of readdirSync(cache)) {
    const owner = /^\.installing-(\d+)$/.exec(name)?.[1];
    if (owner && !isRunning(Number(owner))) rmSync(join(cache, name), { recursive: true, force: true });
  }
  const { bavail, bsize } = statfsSync(cache);
  if (bavail * bsize < room) {
    const message = `${megabytes(room)} are needed while installing, ${cache} has ${megabytes(bavail * bsize)} left: free some, or set LUVIT_ENGINE_CACHE to a folder on another disk`;
    throw new LuvitError("engine", message);
  }
  const work = join(cache, `.installing-${process.pid}`);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work);
  return work;
}

function moveIntoPlace(folder: string, target: string, manifest: Manifest): InstalledEngine {
  const old = join(folder, "..", "replaced");
  if (existsSync(target)) renameSync(target, old);
  renameSync(folder, target);
  return { ...manifest, name: engineName(manifest), folder: target };
}

function bytesOf(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return files.reduce(
    (sum, { parentPath, path, name }) => sum + statSync(join(parentPath ?? path, name)).size,
    0,
  );
}

export const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
