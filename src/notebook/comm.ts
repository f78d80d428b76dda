import { LuvitError } from "../core/errors";
import { checkOptions, flag, object } from "../core/options";

/** Anything JSON can write. */
export type CommData = Record<string, unknown>;

/** What came through a comm, or opened or closed it. */
export interface CommMessage {
  data: CommData;
  metadata: Record<string, unknown>;
  buffers: Uint8Array[];
}

/** A two-way channel to a piece of the frontend, as ipywidgets use. */
export interface Comm {
  readonly id: string;
  readonly target: string;
  send(data: CommData, options?: { metadata?: object; buffers?: Uint8Array[] }): void;
  close(data?: CommData): void;
  onMessage(listener: (message: CommMessage) => void): void;
  onClose(listener: (message: CommMessage) => void): void;
}

/** Takes comms that the frontend opens. */
export type CommTarget = (comm: Comm, opened: CommMessage) => void;

/** What our kernel offers to cells beyond tslab's displays. */
export interface KernelHost {
  openComm(target: string, data: CommData, options: { metadata?: object; buffers?: Uint8Array[] }): Comm;
  registerTarget(target: string, open: CommTarget): void;
  clearOutput(wait: boolean): void;
}

/** Found on the global object, so that every copy of this library in a session meets the same kernel. */
const place = Symbol.for("luvit.kernel.host");

/** Makes a kernel known to cells; undefined takes it away. */
export function setKernelHost(host: KernelHost | undefined): void {
  Object.defineProperty(globalThis, place, { value: host, configurable: true });
}

function kernelHost(): KernelHost | undefined {
  return (globalThis as unknown as Record<symbol, KernelHost | undefined>)[place];
}

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
