import type { Wait } from "../watch/syncChildren";
import type { Header } from "./wire";

/** What Jupyter writes into the connection file. */
export interface Connection {
  transport: string;
  ip: string;
  key: string;
  signature_scheme: string;
  shell_port: number;
  control_port: number;
  iopub_port: number;
  stdin_port: number;
  hb_port: number;
}

/** A request to answer; the next one comes when this one is finished. */
export interface Request {
  type: string;
  header: Header;
  content: Record<string, unknown>;
  metadata: Record<string, unknown>;
  buffers: Uint8Array[];
  /** How many interrupts had been asked for when this request's turn came. */
  interrupts: number;
}

/** From the thread of the protocol to that of the cells. */
export type ToCells =
  | { kind: "request"; request: Request }
  | { kind: "interrupt"; number: number }
  /** The running cell's code was stopped, since it had filled the memory. */
  | { kind: "full" }
  | { kind: "shutdown" };

/** From the thread of the cells to that of the protocol, in order. */
export type ToProtocol =
  /** A message for everybody. `bytes` is counted as outstanding until it is sent. */
  | {
      kind: "publish";
      type: string;
      content: object;
      parent: Header;
      metadata?: object;
      buffers?: Uint8Array[];
      bytes: number;
    }
  /** Ends the request; without content there is nothing to answer. */
  | { kind: "finish"; content?: object; failed?: boolean; stopOnError?: boolean }
  /** A question to the user; the answer comes through `answers`. */
  | { kind: "ask"; prompt: string; password: boolean; parent: Header }
  /** The thread begins to wait for a process. */
  | { kind: "waits"; wait: Wait }
  /** Asks to be told, by the `drained` slot, when everything is sent and closed. */
  | { kind: "end" };

/** What the thread of the protocol starts with. */
export interface ProtocolData {
  connection: Connection;
  signals: SharedArrayBuffer;
  /** Bytes that the cells' JavaScript may have. */
  heapLimit: number;
  /** Answers to questions, read with `receiveMessageOnPort`. */
  answers: import("node:worker_threads").MessagePort;
  info: object;
}
