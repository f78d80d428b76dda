import { existsSync, lstatSync, readdirSync, readFileSync, rmdirSync, rmSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { brief } from "../../core/brief";
import { LuvitError } from "../../core/errors";
import { packageRoot } from "../../core/packageRoot";
import { writeAtomically } from "../../core/writeAtomically";
import { copyPackage } from "./bundle";

const SPEC = "kernel.json";
const DISPLAY_NAME = "TypeScript · LUViT";
/** The folder of the kernel's own copy of this package. */
const COPY = "package";
const logos = ["logo-32x32.png", "logo-64x64.png", "logo-svg.svg"];

/**
 * What Jupyter needs to know to start the kernel whose main script this is. Paths are absolute: a frontend may have no
 * shell's PATH.
 */
export function kernelSpec(script: string = join(__dirname, "..", "main.js")): object {
  return {
    argv: [process.execPath, script, "{connection_file}"],
    display_name: DISPLAY_NAME,
    language: "typescript",
    interrupt_mode: "message",
    metadata: { debugger: true },
    env: { TF_CPP_MIN_LOG_LEVEL: "2" },
  };
}

/**
 * Writes the kernel's specification and logos into a folder of its own, through no link: links at its files' places are
 * replaced. With `copy` the kernel is put there too, with all that it needs, and outlives this place; else it runs from
 * here. Gives back the bytes copied.
 *
 * @throws LuvitError("bad-argument") where the folder is a link, or another kernel's, or has a folder `package` that is
 * not ours. LuvitError("missing-file") where a package that the kernel needs is not installed.
 */
export function installKernel(folder: string, { copy = false } = {}): number {
  requireOwn(folder);
  const own = join(folder, COPY);
  if (!isFreeOrOurs(own))
    throw new LuvitError("bad-argument", `${own}: is not this command's; move it, or choose another place`);
  for (const logo of logos)
    writeAtomically(join(folder, logo), readFileSync(join(packageRoot(), "kernels", "luvit", logo)));
  const bytes = copy ? copyPackage(own) : 0;
  const spec = copy ? kernelSpec(join(own, "dist", "kernel", "main.js")) : kernelSpec();
  writeAtomically(join(folder, SPEC), `${JSON.stringify(spec, null, 2)}\n`);
  if (!copy) rmSync(own, { recursive: true, force: true });
  return bytes;
}

/**
 * Takes the kernel away: the files and the copy that `installKernel` wrote, and the folder if nothing else is in it. Of a link only the
 * link goes. False when there is none.
 *
 * @throws LuvitError("bad-argument") where another kernel is.
 */
export function removeKernel(folder: string): boolean {
  const status = lstatSync(folder, { throwIfNoEntry: false });
  if (!status || !existsSync(join(folder, SPEC))) return false;
  if (status.isSymbolicLink()) {
    unlinkSync(folder);
    return true;
  }
  requireOwn(folder);
  for (const name of [...logos, SPEC]) rmSync(join(folder, name), { force: true });
  if (isFreeOrOurs(join(folder, COPY))) rmSync(join(folder, COPY), { recursive: true, force: true });
  if (readdirSync(folder).length === 0) rmdirSync(folder);
  return true;
}

/** Files in the kernel's folder that are not its own. */
export function foreignFiles(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

function requireOwn(folder: string): void {
  const status = lstatSync(folder, { throwIfNoEntry: false });
  if (status?.isSymbolicLink()) {
    const text =
      "is a link, and what it leads to is not this command's; `luvit kernel remove` takes the link away";
    throw new LuvitError("bad-argument", `${folder}: ${text}`);
  }
  const name = displayName(join(folder, SPEC));
  if (name === undefined || name === DISPLAY_NAME) return;
  throw new LuvitError(
    "bad-argument",
    `${folder}: holds another kernel, ${brief(name)}; choose another place`,
  );
}

/** A link at the copy's place, or a folder that holds something else, is somebody's. */
function isFreeOrOurs(copy: string): boolean {
  const status = lstatSync(copy, { throwIfNoEntry: false });
  return !status || (status.isDirectory() && field(join(copy, "package.json"), "name") === "luvit");
}

/** What a kernel calls itself; undefined where there is none, or nothing that can be read. */
const displayName = (path: string) => field(path, "display_name");

/** A field of a file of JSON; undefined where there is none. */
function field(path: string, name: string): unknown {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
  } catch {
    return undefined;
  }
}
