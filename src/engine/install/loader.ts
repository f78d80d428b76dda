import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Where CUDA's libraries from pip's nvidia-… wheels lie in an engine's folder. */
export const cudaFolder = (folder: string): string => join(folder, "deps", "nvidia");

/** What a process must have in its environment, from its start, to find the libraries an engine brings along. */
export function loaderEnvironment(folder: string): Record<string, string> {
  const cuda = cudaFolder(folder);
  if (!existsSync(cuda)) return {};
  const libraries = readdirSync(cuda)
    .map((name) => join(cuda, name, "lib"))
    .filter((path) => existsSync(path));
  const inherited = process.env.LD_LIBRARY_PATH;
  return { LD_LIBRARY_PATH: [...libraries, ...(inherited ? [inherited] : [])].join(delimiter) };
}
