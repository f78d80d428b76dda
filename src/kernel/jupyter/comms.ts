import { randomUUID } from "node:crypto";
import type { Comm, CommData, CommMessage, CommTarget } from "../../core/kernelHost";
import type { Request } from "../protocol/channel";
import type { Header } from "../protocol/wire";
import type { Link } from "./link";

interface OpenComm {
  comm: Comm;
  message(message: CommMessage): void;
  closed(message: CommMessage): void;
}

interface CommOptions {
  metadata?: object;
  buffers?: Uint8Array[];
}

/** The comms of a session, whichever side opened them. */
export class Comms {
  private readonly open = new Map<string, OpenComm>();
  private readonly targets = new Map<string, CommTarget>();

  /** `parent` names the request that the messages sent now belong to. */
  constructor(
    private readonly link: Link,
    private readonly parent: () => Header,
  ) {}

  register(target: string, open: CommTarget): void {
    this.targets.set(target, open);
  }

  openFromHere(target: string, data: CommData, options: CommOptions): Comm {
    const comm = this.create(randomUUID(), target);
    this.send("comm_open", { comm_id: comm.id, target_name: target, data }, options);
    return comm;
  }

  /** Open comms as `comm_info_request` asks for them. */
  info(target: unknown): Record<string, { target_name: string }> {
    const chosen = [...this.open.values()].filter(
      ({ comm }) => typeof target !== "string" || target === "" || comm.target === target,
    );
    return Object.fromEntries(chosen.map(({ comm }) => [comm.id, { target_name: comm.target }]));
  }

  /** Takes comm_open, comm_msg and comm_close. Comms for unknown targets are closed at once. */
  take({ type, content, metadata, buffers }: Request): void {
    const id = String(content.comm_id);
    const message = { data: (content.data ?? {}) as CommData, metadata, buffers };
    if (type === "comm_open") this.openFromThere(id, String(content.target_name), message);
    else if (type === "comm_msg") this.open.get(id)?.message(message);
    else {
      const known = this.open.get(id);
      this.open.delete(id);
      known?.closed(message);
    }
  }

  private openFromThere(id: string, target: string, message: CommMessage): void {
    const take = this.targets.get(target);
    if (take) take(this.create(id, target), message);
    else this.send("comm_close", { comm_id: id, data: {} });
  }

  private create(id: string, target: string): Comm {
    const listeners = {
      message: [] as ((m: CommMessage) => void)[],
      close: [] as ((m: CommMessage) => void)[],
    };
    const comm: Comm = {
      id,
      target,
      send: (data, options) => this.send("comm_msg", { comm_id: id, data }, options),
      close: (data = {}) => {
        if (this.open.delete(id)) this.send("comm_close", { comm_id: id, data });
      },
      onMessage: (listener) => void listeners.message.push(listener),
      onClose: (listener) => void listeners.close.push(listener),
    };
    const all = (list: ((m: CommMessage) => void)[]) => (message: CommMessage) => {
      for (const listener of list) listener(message);
    };
    this.open.set(id, { comm, message: all(listeners.message), closed: all(listeners.close) });
    return comm;
  }

  private send(type: string, content: object, options: CommOptions = {}): void {
    this.link.publish(type, content, this.parent(), options);
  }
}
