import { existsSync } from "node:fs";
import { LuvitError } from "../../core/errors";
import { lastLines, runCommand } from "./command";

/** A GPU as NVIDIA's own tool lists it. */
export interface Gpu {
  readonly index: number;
  readonly name: string;
  /** Compute capability, major and minor. */
  readonly capability: readonly [number, number];
}

/** Linux has one of these where the driver is loaded; under WSL2 it is the Windows driver's library. */
const DRIVER_FILES = ["/proc/driver/nvidia/version", "/usr/lib/wsl/lib/libcuda.so.1"];
/** Under WSL2 the tool may not be on the path. */
const TOOLS = ["nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi"];
const QUERY = ["--query-gpu=index,name,compute_cap", "--format=csv,noheader"];

/** Capabilities that TensorFlow's wheels have code for: machine code from 6.0 on, for 9.0 what the driver compiles. */
const [LEAST, MOST] = [6, 9];
const ELSEWHERE = 'use provider "webgpu", which needs no installation';

/** Whether NVIDIA's driver is there. Starts nothing. */
export const hasNvidiaDriver = (files: readonly string[] = DRIVER_FILES): boolean =>
  files.some((path) => existsSync(path));

/** Lines such as "0, NVIDIA H100 80GB HBM3, 9.0"; those that are none are left out. */
export function parseGpus(output: string): Gpu[] {
  return output.split(/\r?\n/).flatMap((line) => {
    const found = /^\s*(\d+),\s*(.+?),\s*(\d+)\.(\d+)\s*$/.exec(line);
    if (!found) return [];
    const [, index, name, major, minor] = found;
    return [{ index: Number(index), name, capability: [Number(major), Number(minor)] as const }];
  });
}

/** Why TensorFlow cannot use a GPU, or undefined where it can. */
export function gpuProblem({ name, capability: [major, minor] }: Gpu): string | undefined {
  if (major >= LEAST && major <= MOST) return undefined;
  const age = major < LEAST ? "older" : "newer";
  return `${name} (compute capability ${major}.${minor}) is ${age} than TensorFlow's wheels are built for (${LEAST}.0 to ${MOST}.0)`;
}

/** Whether the driver compiles TensorFlow's kernels for this GPU when they are first used. */
export const compilesAtFirstUse = ({ capability: [major] }: Gpu): boolean => major === MOST;

/**
 * The GPU that an engine will use: the first that CUDA_VISIBLE_DEVICES names, else the first there is. Names by UUID are
 * left to CUDA.
 *
 * @throws LuvitError("engine") saying why there is none, and what to use then.
 */
export function usableGpu(gpus: readonly Gpu[], visible: string | undefined): Gpu {
  const index = Number(oneVisibleDevice(visible));
  const gpu = gpus.find((each) => each.index === index) ?? (Number.isNaN(index) ? gpus[0] : undefined);
  if (!gpu) {
    const listed = gpus.map((each) => `${each.index} ${each.name}`).join(", ") || "none";
    const asked = visible === undefined ? "" : `; CUDA_VISIBLE_DEVICES is "${visible}"`;
    throw new LuvitError("engine", `no GPU for it: nvidia-smi lists ${listed}${asked}; ${ELSEWHERE}`);
  }
  const problem = gpuProblem(gpu);
  if (problem !== undefined) throw new LuvitError("engine", `${problem}; ${ELSEWHERE}`);
  return gpu;
}

/** One engine uses one GPU: of those that may be used the first, or the one of a machine's worker of this number. */
export function oneVisibleDevice(visible: string | undefined, worker = 0): string {
  if (visible === undefined) return `${worker}`;
  const devices = visible.split(",").map((device) => device.trim());
  return devices[worker % devices.length] || "-1";
}

/**
 * Asks NVIDIA's tool for the GPU that an engine will use.
 *
 * @throws LuvitError("engine") where there is none that TensorFlow can use, with the reason.
 */
export async function findGpu(visible = process.env.CUDA_VISIBLE_DEVICES): Promise<Gpu> {
  const outputs: string[] = [];
  for (const tool of TOOLS) {
    const { status, output } = await runCommand(tool, QUERY);
    if (status === 0) return usableGpu(parseGpus(output), visible);
    outputs.push(output);
  }
  const said = lastLines(outputs[0]);
  throw new LuvitError(
    "engine",
    `no NVIDIA GPU can be used: nvidia-smi does not answer; ${ELSEWHERE}\n${said}`,
  );
}
