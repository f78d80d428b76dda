import { homedir } from "node:os";
import { keepCode } from "../kernel/compiler/codeCache";
import { createCompiler } from "../kernel/compiler/createCompiler";
import { installedFolders, kernelFolder, type Target } from "../kernel/spec/folders";
import { foreignFiles, installKernel, removeKernel } from "../kernel/spec/install";
import { type CommandCall, command, UsageError } from "./command";

const kernelHelp = `  luvit kernel install [place]           make the TypeScript · LUViT kernel known to Jupyter and VS Code
      --user                             for this user (the default; JUPYTER_DATA_DIR if set)
      --sys-prefix                       in the active virtual or conda environment
      --prefix <folder>                  below another folder
      --link                             runs from here, not from a copy of its own; for those who change the library
  luvit kernel list                      where it is installed
  luvit kernel remove [place]            take it away
`;

const flags = {
  user: { type: "boolean" },
  "sys-prefix": { type: "boolean" },
  prefix: { type: "string" },
  link: { type: "boolean" },
} as const;

type KernelCall = CommandCall<typeof flags>;

export const kernelCommand = command({
  name: "kernel",
  help: kernelHelp,
  flags,
  async run(call) {
    if (runAction(call)) return 0;
    throw new UsageError(
      "kernel takes install, list or remove, and one of --user, --sys-prefix, --prefix <folder>; install also --link",
    );
  },
});

/** The subcommands of `luvit kernel`; false for words that are none. */
function runAction({ words, flags: places, print }: KernelCall): boolean {
  const [action] = words;
  const target = targetOf(places);
  if (words.length !== 1 || target === undefined || (places.link && action !== "install")) return false;
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
    const bytes = installKernel(folder, { copy: !places.link });
    warmUp();
    const how = places.link
      ? "runs from here"
      : `a copy of ${Math.round(bytes / 1e6)} MB, which needs this place no more`;
    print(`installed "TypeScript · LUViT" in ${folder}: ${how}`);
    return true;
  }
  if (!removeKernel(folder)) print(`nothing to remove in ${folder}`);
  else print(`removed ${folder}${left(foreignFiles(folder))}`);
  return true;
}

/** Keeps the compiler's machine code, so that the first start is already a quick one. */
function warmUp(): void {
  const compiler = createCompiler(process.cwd(), "typescript");
  compiler.compile("console.log(1 + 1)"); // console: of Node's declarations, too
  compiler.close();
  keepCode();
}

/** Says which files of others stay. */
function left(files: readonly string[]): string {
  return files.length === 0 ? "" : `; left there, as they are not the kernel's: ${files.join(", ")}`;
}

/** The one place that was named; undefined for several. */
function targetOf({ user, "sys-prefix": environment, prefix }: KernelCall["flags"]): Target | undefined {
  const named: Target[] = [];
  if (user) named.push("user");
  if (environment) named.push("sys-prefix");
  if (prefix !== undefined) named.push({ prefix });
  return named.length > 1 ? undefined : (named[0] ?? "user");
}
