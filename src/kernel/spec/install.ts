import { copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../core/packageRoot";
import { writeAtomically } from "../../core/writeAtomically";

const logos = ["logo-32x32.png", "logo-64x64.png", "logo-svg.svg"];

/** What Jupyter needs to know to start the kernel. Paths are absolute: a frontend may have no shell's PATH. */
export function kernelSpec(): object {
  return {
    argv: [process.execPath, join(__dirname, "..", "main.js"), "{connection_file}"],
    display_name: "TypeScript · LUViT",
    language: "typescript",
    interrupt_mode: "message",
    metadata: { debugger: false },
    env: { TF_CPP_MIN_LOG_LEVEL: "2" },
  };
}

/** Writes the kernel's specification and logos into a folder. */
export function installKernel(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const logo of logos) copyFileSync(join(packageRoot(), "kernels", "luvit", logo), join(folder, logo));
  writeAtomically(join(folder, "kernel.json"), `${JSON.stringify(kernelSpec(), null, 2)}\n`);
}

/** Takes the kernel away; false when there is none. */
export function removeKernel(folder: string): boolean {
  if (!existsSync(join(folder, "kernel.json"))) return false;
  rmSync(folder, { recursive: true });
  return true;
}
