import { existsSync, lstatSync, readdirSync, readFileSync, rmdirSync, rmSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { brief } from "../../core/brief";
import { LuvitError } from "../../core/errors";
import { packageRoot } from "../../core/packageRoot";
import { writeAtomically } from "../../core/writeAtomically";

const SPEC = "kernel.json";
const DISPLAY_NAME = "TypeScript · LUViT";
const logos = ["logo-32x32.png", "logo-64x64.png", "logo-svg.svg"];

/** What Jupyter needs to know to start the kernel. Paths are absolute: a frontend may have no shell's PATH. */
export function kernelSpec(): object {
  return {
    argv: [process.execPath, join(__dirname, "..", "main.js"), "{connection_file}"],
    display_name: DISPLAY_NAME,
    language: "typescript",
    interrupt_mode: "message",
    metadata: { debugger: false },
    env: { TF_CPP_MIN_LOG_LEVEL: "2" },
  };
}

/**
 * Writes the kernel's specification and logos into a folder of its own, through no link: links at its files' places are
 * replaced.
 *
 * @throws LuvitError("bad-argument") where the folder is a link, or another kernel's.
 */
export function installKernel(folder: string): void {
  requireOwn(folder);
  for (const logo of logos)
    writeAtomically(join(folder, logo), readFileSync(join(packageRoot(), "kernels", "luvit", logo)));
  writeAtomically(join(folder, SPEC), `${JSON.stringify(kernelSpec(), null, 2)}\n`);
}

/**
 * Takes the kernel away: the files that `installKernel` wrote, and the folder if nothing else is in it. Of a link only the
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

/** What a kernel calls itself; undefined where there is none, or nothing that can be read. */
function displayName(path: string): unknown {
  try {
    const spec: unknown = JSON.parse(readFileSync(path, "utf8"));
    return typeof spec === "object" && spec !== null
      ? (spec as { display_name?: unknown }).display_name
      : undefined;
  } catch {
    return undefined;
  }
}
