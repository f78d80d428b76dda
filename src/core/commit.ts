import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { packageRoot, packageVersion } from "./packageRoot";

let known: string | undefined;

/**
 * What code made a result: the commit of a checkout ("7b28870b1c2d", with "+" behind it where files differ from it),
 * else the version of the installed package ("luvit 0.1.0").
 */
export function codeVersion(): string {
  known ??= commitOf(packageRoot()) ?? `luvit ${packageVersion()}`;
  return known;
}

/** Undefined outside a checkout; a package inside somebody else's checkout is not taken for it. */
export function commitOf(folder: string): string | undefined {
  if (!existsSync(join(folder, ".git"))) return undefined;
  try {
    const git = (...words: string[]) =>
      execFileSync("git", ["-C", folder, ...words], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
    const changed = git("status", "--porcelain", "--untracked-files=no").trim() !== "";
    return git("rev-parse", "--short=12", "HEAD").trim() + (changed ? "+" : "");
  } catch {
    return undefined;
  }
}
