import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";

/** A Vulkan driver, by the library that a process has loaded. */
interface Driver {
  readonly library: RegExp;
  readonly name: string;
  /** PCI vendor of its devices; none where the processor computes. */
  readonly vendor?: string;
}

/** GPUs before what stands for one. */
const drivers: readonly Driver[] = [
  { library: /\/(libGLX_nvidia|libnvidia-)/, name: "NVIDIA", vendor: "0x10de" },
  { library: /\/(libvulkan_radeon|amdvlk)/, name: "AMD", vendor: "0x1002" },
  { library: /\/libvulkan_intel/, name: "Intel", vendor: "0x8086" },
  { library: /\/libvulkan_nouveau/, name: "NVIDIA (nouveau)", vendor: "0x10de" },
  { library: /\/libvulkan_asahi/, name: "Apple", vendor: "0x106b" },
  { library: /\/libvulkan_dzn/, name: "Direct3D 12 of Windows", vendor: "wsl" },
  { library: /\/libvk_swiftshader/, name: "SwiftShader" },
  { library: /\/libvulkan_lvp/, name: "llvmpipe" },
];

/** What a process computes on through WebGPU. */
export interface Adapter {
  readonly name: string;
  /** Whether the processor does the work of a GPU. */
  readonly isSoftware: boolean;
}

/**
 * The adapter behind WebGPU in a process that has opened one: onnxruntime does not say, so on Linux it is told by the
 * drivers that the process has loaded, elsewhere by the system. Undefined where neither tells.
 */
export function adapterOf(pid: number): Adapter | undefined {
  if (process.platform === "darwin")
    return { name: `${cpus()[0]?.model ?? "Apple"} (Metal)`, isSoftware: false };
  if (process.platform === "win32") return { name: "Direct3D 12", isSoftware: false };
  const maps = readText(`/proc/${pid}/maps`);
  const driver = drivers.find(({ library }) => library.test(maps));
  if (!driver) return undefined;
  if (driver.vendor === undefined) return { name: `${driver.name}, in software`, isSoftware: true };
  return { name: nvidiaModel(driver) ?? driver.name, isSoftware: false };
}

/** Whether a process has Vulkan's loader, which a GPU on Linux is reached through. */
export const hasVulkanLoader = (pid: number): boolean =>
  /\/libvulkan\.so/.test(readText(`/proc/${pid}/maps`));

/** Why WebGPU cannot be had on this machine at all, or undefined where it is worth a try. */
export function gpuProblem(
  platform = process.platform,
  arch: string = process.arch,
  root = "/",
): string | undefined {
  if (platform === "linux" && arch !== "x64") return `onnxruntime has no WebGPU for Linux on ${arch}`;
  if (platform === "darwin" && arch !== "arm64")
    return "onnxruntime has no WebGPU for Macs with Intel processors";
  if (platform !== "linux") return undefined;
  const nodes = ["dev/dri", "dev/nvidiactl", "dev/dxg"].map((node) => join(root, node));
  return nodes.some(existsSync)
    ? undefined
    : "this machine has no GPU (there is no /dev/dri, /dev/nvidiactl or /dev/dxg)";
}

function nvidiaModel({ vendor }: Driver): string | undefined {
  if (vendor !== "0x10de") return undefined;
  const folder = "/proc/driver/nvidia/gpus";
  const [first] = existsSync(folder) ? readdirSync(folder) : [];
  return first && /^Model:\s*(.+)$/m.exec(readText(join(folder, first, "information")))?.[1];
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
