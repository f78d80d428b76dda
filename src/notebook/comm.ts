import { LuvitError } from "../core/errors";
import { type Comm, type CommData, type CommTarget, type KernelHost, kernelHost } from "../core/kernelHost";
import { checkOptions, flag, object } from "../core/options";

/** Opens a comm to what the frontend has registered under a name. Only in this library's own kernel. */
export function openComm(
  target: string,
  data: CommData = {},
  options: { metadata?: object; buffers?: Uint8Array[] } = {},
): Comm {
  return needed("openComm").openComm(target, data, options);
}

/** Takes comms that the frontend opens under a name. Only in this library's own kernel. */
export function onComm(target: string, open: CommTarget): void {
  needed("onComm").registerTarget(target, open);
}

/** Removes what the cell has shown so far, with `wait` when its next output comes. Does nothing outside notebooks. */
export function clearOutput(options: { wait?: boolean } = {}): void {
  checkOptions("clearOutput", object({}, { wait: flag }), options);
  kernelHost()?.clearOutput(options.wait ?? false);
}

function needed(caller: string): KernelHost {
  const host = kernelHost();
  if (host) return host;
  const what = `${caller}: comms need the kernel "TypeScript · LUViT"; \`npx luvit kernel install\` installs it`;
  throw new LuvitError("bad-argument", what);
}
