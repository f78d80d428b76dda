import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { packageRoot } from "../../../src/core/packageRoot";
import { temporaryFolder } from "../../support/temporaryFolder";

/** A Python that has certain modules, or why there is none. */
export type Found = { python: string; skip: false } | { python: ""; skip: string };

/** The first of the Pythons that `variables` name, and `python3`, that can import the modules. Says so where none can. */
export function pythonWith(what: string, modules: string, variables: readonly string[]): Found {
  const named = variables.map((variable) => process.env[variable]).filter((path) => path !== undefined);
  for (const python of [...named, "python3"])
    if (spawnSync(python, ["-c", `import ${modules}`]).status === 0) return { python, skip: false };
  const skip = `no Python here can import ${modules} (set ${variables[0]}; scripts/ci-python.sh makes one)`;
  console.log(`SKIPPED: ${what}, because ${skip}`);
  return { python: "", skip };
}

/** Environment for Jupyter's programs in which `luvit kernel install` has run and nothing of the user's is seen. */
export function jupyterEnvironment(): NodeJS.ProcessEnv & { folder: string } {
  const folder = temporaryFolder("with-jupyter");
  const own = { JUPYTER_DATA_DIR: "jupyter", JUPYTER_CONFIG_DIR: "config", JUPYTER_RUNTIME_DIR: "runtime" };
  const paths = Object.entries(own).map(([name, at]) => [name, join(folder, at)]);
  const env = { ...process.env, ...Object.fromEntries(paths), JUPYTER_PLATFORM_DIRS: "0", folder };
  execFileSync(process.execPath, [join(packageRoot(), "dist", "cli.js"), "kernel", "install", "--link"], {
    env,
  });
  return env;
}
