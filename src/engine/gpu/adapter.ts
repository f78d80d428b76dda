import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";

/** A Vulkan driver, by the library that a process has loaded. Vulkan loads every one that is installed. */
interface Driver {
  readonly library: RegExp;
  readonly name: string;
  /** PCI vendor of its devices, or the device file that they are behind; none where the processor computes. */
  readonly vendor?: string;
}

const NVIDIA = "/proc/driver/nvidia/gpus";

/** GPUs before what stands for one. */
const drivers: readonly Driver[] = [
  { library: /\/(libGLX_nvidia|libnvidia-)/, name: "NVIDIA", vendor: "0x10de" },
  { library: /\/(libvulkan_radeon|amdvlk)/, name: "AMD", vendor: "0x1002" },
  { library: /\/libvulkan_intel/, name: "Intel", vendor: "0x8086" },
  { library: /\/libvulkan_nouveau/, name: "NVIDIA (nouveau)", vendor: "0x10de" },
  { library: /\/libvulkan_asahi/, name: "Apple", vendor: "0x106b" },
  { library: /\/libvulkan_dzn/, name: "Direct3D 12 of Windows", vendor: "/dev/dxg" },
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
  const here = vendors();
  const isHere = ({ library, vendor }: Driver) =>
    library.test(maps) && (vendor === undefined || here.has(vendor));
  const driver = drivers.find(isHere);
  if (!driver) return undefined;
  if (driver.vendor === undefined) return { name: `${driver.name}, in software`, isSoftware: true };
  return { name: nvidiaModel(driver) ?? driver.name, isSoftware: false };
}

/** What GPUs of this machine are made by, as drivers say it. */
function vendors(): Set<string> {
  const folder = "/sys/class/drm";
  const cards = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith("renderD")) : [];
  const found = cards.map((card) => readText(join(folder, card, "device", "vendor")).trim());
  const others = ["/dev/dxg"].filter((file) => existsSync(file));
  const nvidia = existsSync(NVIDIA) ? ["0x10de"] : [];
  return new Set([...found, ...others, ...nvidia]);
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
  const folder = join(root, "dev");
  const files = existsSync(folder) ? readdirSync(folder) : [];
  const cards = files.includes("dri") ? readdirSync(join(folder, "dri")) : [];
  // A card without a render node is a screen, of a server's remote console say.
  const hasGpu =
    cards.some((card) => card.startsWith("renderD")) || files.some((file) => /^(nvidiactl|dxg)$/.test(file));
  return hasGpu
    ? undefined
    : "this machine has no GPU (there is no /dev/dri/renderD*, /dev/nvidiactl or /dev/dxg)";
}

function nvidiaModel({ vendor }: Driver): string | undefined {
  if (vendor !== "0x10de") return undefined;
  const [first] = existsSync(NVIDIA) ? readdirSync(NVIDIA) : [];
  return first && /^Model:\s*(.+)$/m.exec(readText(join(NVIDIA, first, "information")))?.[1];
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
