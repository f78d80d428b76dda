import { homedir } from "node:os";
import { keepCode } from "./kernel/compiler/codeCache";
import { Compiler } from "./kernel/compiler/compiler";
import { installedFolders, kernelFolder, type Target } from "./kernel/spec/folders";
import { foreignFiles, installKernel, removeKernel } from "./kernel/spec/install";

export const kernelHelp = `  luvit kernel install [place]           make the TypeScript · LUViT kernel known to Jupyter and VS Code
      --user                             for this user (the default; JUPYTER_DATA_DIR if set)
      --sys-prefix                       in the active virtual or conda environment
      --prefix <folder>                  below another folder
  luvit kernel list                      where it is installed
  luvit kernel remove [place]            take it away
`;

export interface KernelFlags {
  user?: boolean;
  "sys-prefix"?: boolean;
  prefix?: string;
}

/** The subcommands of `luvit kernel`; false for words that are none. */
export function kernelCommand(
  words: readonly string[],
  flags: KernelFlags,
  print: (line: string) => void,
): boolean {
  const [action] = words;
  const target = targetOf(flags);
  if (words.length !== 1 || target === undefined) return false;
  const machine = { platform: process.platform, env: process.env, home: homedir() };
  if (action === "list") {
    print(
      installedFolders(machine).join("\n") || "the kernel is not installed; luvit kernel install does it",
    );
    return true;
  }
  if (action !== "install" && action !== "remove") return false;
  const folder = kernelFolder(target, machine);
  if (action === "install") {
    installKernel(folder);
    warmUp();
    print(`installed "TypeScript · LUViT" in ${folder}`);
    return true;
  }
  if (!removeKernel(folder)) print(`nothing to remove in ${folder}`);
  else print(`removed ${folder}${left(foreignFiles(folder))}`);
  return true;
}

/** Keeps the compiler's machine code, so that the first start is already a quick one. */
function warmUp(): void {
  const compiler = new Compiler(process.cwd(), "typescript");
  compiler.compile("1 + 1");
  compiler.close();
  keepCode();
}

/** Says which files of others stay. */
function left(files: readonly string[]): string {
  return files.length === 0 ? "" : `; left there, as they are not the kernel's: ${files.join(", ")}`;
}

/** The one place that was named; undefined for several. */
function targetOf({ user, "sys-prefix": environment, prefix }: KernelFlags): Target | undefined {
  const named: Target[] = [];
  if (user) named.push("user");
  if (environment) named.push("sys-prefix");
  if (prefix !== undefined) named.push({ prefix });
  return named.length > 1 ? undefined : (named[0] ?? "user");
}
