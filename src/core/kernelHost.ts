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
  /** Its name at the server that started it; undefined where that is not known. */
  readonly id?: string | undefined;
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

/** The kernel that the cell runs in; undefined outside this library's own. */
export function kernelHost(): KernelHost | undefined {
  return (globalThis as unknown as Record<symbol, KernelHost | undefined>)[place];
}
