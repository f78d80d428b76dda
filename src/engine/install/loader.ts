import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { localRank } from "../../distributed/place";
import { oneVisibleDevice } from "./gpu";

/** Where CUDA's libraries from pip's nvidia-… wheels lie in an engine's folder. */
export const cudaFolder = (folder: string): string => join(folder, "deps", "nvidia");

/**
 * What a process must have in its environment, from its start, to compute on one GPU. The addon takes the last of those
 * it sees, TensorFlow's sessions the first; kernels that the driver compiles are kept for the next process (4 GB at most).
 */
export function gpuEnvironment({ tf32 = false }: { tf32?: boolean }): Record<string, string> {
  return {
    CUDA_VISIBLE_DEVICES: oneVisibleDevice(process.env.CUDA_VISIBLE_DEVICES, localRank()),
    CUDA_CACHE_MAXSIZE: "4294967296",
    NVIDIA_TF32_OVERRIDE: tf32 ? "1" : "0",
  };
}

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
