import { existsSync } from "node:fs";
import { delimiter, join, posix, resolve, win32 } from "node:path";
import { LuvitError } from "../../core/errors";

/** Where a kernel is to be put: the user's folder, the active environment, or below a prefix. */
export type Target = "user" | "sys-prefix" | { prefix: string };

/** What the folders depend on. */
export interface Machine {
  platform: NodeJS.Platform;
  env: NodeJS.ProcessEnv;
  home: string;
}

/** Jupyter's data folder of a user, as in jupyter_core/paths.py. */
export function userDataFolder({ platform, env, home }: Machine): string {
  if (env.JUPYTER_DATA_DIR) return env.JUPYTER_DATA_DIR;
  if (platform === "darwin") return posix.join(home, "Library", "Jupyter");
  if (platform === "win32")
    return win32.join(env.APPDATA || win32.join(home, "AppData", "Roaming"), "jupyter");
  return posix.join(env.XDG_DATA_HOME || posix.join(home, ".local", "share"), "jupyter");
}

/** The folder of our kernel in one place. */
export function kernelFolder(target: Target, machine: Machine): string {
  const data =
    target === "user"
      ? resolve(userDataFolder(machine))
      : dataBelow(target === "sys-prefix" ? environmentFolder(machine) : target.prefix);
  return join(data, "kernels", "luvit");
}

/** Every place where Jupyter might find our kernel and does. */
export function installedFolders(machine: Machine): string[] {
  const { VIRTUAL_ENV, CONDA_PREFIX, JUPYTER_PATH = "", PROGRAMDATA = "C:\\ProgramData" } = machine.env;
  const own = [...JUPYTER_PATH.split(delimiter), userDataFolder(machine)].filter(Boolean);
  const prefixes = [VIRTUAL_ENV, CONDA_PREFIX, "/usr/local", "/usr"].filter((one): one is string => !!one);
  const data = [...own, ...prefixes.map(dataBelow), join(PROGRAMDATA, "jupyter")];
  const kernels = data.map((folder) => join(resolve(folder), "kernels", "luvit"));
  return [...new Set(kernels)].filter((folder) => existsSync(join(folder, "kernel.json")));
}

function dataBelow(prefix: string): string {
  return join(resolve(prefix), "share", "jupyter");
}

function environmentFolder({ env }: Machine): string {
  const folder = env.VIRTUAL_ENV || env.CONDA_PREFIX;
  if (folder) return folder;
  const why = "--sys-prefix: no virtual or conda environment is active; use --prefix <folder>";
  throw new LuvitError("bad-argument", why);
}
