import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { packageRoot } from "../../src/core/packageRoot";

/** The Python that has the references; LUVIT_PYTHON names another. */
const python = process.env.LUVIT_PYTHON ?? "python3";

/** False when the modules can be imported, else why a test has to be skipped; says so at once. */
export function unlessPythonHas(...modules: string[]): string | false {
  if (spawnSync(python, ["-c", `import ${modules.join(", ")}`]).status === 0) return false;
  const reason = `${python} cannot import ${modules.join(", ")} (set LUVIT_PYTHON to one that can)`;
  console.log(`SKIPPED: interoperability with ${modules.join(", ")}, because ${reason}`);
  return reason;
}

/** Runs a script of this folder; what its last line says as JSON. */
export function runPython<Result>(script: string, ...args: string[]): Result {
  const path = join(packageRoot(), "tests", "interop", script);
  const output = execFileSync(python, [path, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  return JSON.parse(output.trim().split("\n").at(-1)!);
}
