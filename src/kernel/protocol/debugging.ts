import type { DebugAdapter, Kernel } from "../debug/adapter";
import type { ShellQueue } from "./shellQueue";
import type { Sockets } from "./sockets";
import type { Header, Message } from "./wire";

interface Parts extends Pick<Kernel, "say" | "interrupt" | "isInterrupted"> {
  sockets: Sockets;
  queue: ShellQueue;
}

/** The debugger, which is loaded when somebody first asks for it. */
export class Debugging {
  private adapter: DebugAdapter | undefined;
  /** The last request, to which what happens between cells belongs. */
  private last: Header | undefined;

  constructor(private readonly parts: Parts) {}

  /** Answers a `debug_request`. */
  async take(message: Message): Promise<void> {
    const { sockets, queue } = this.parts;
    this.last = message.header;
    queue.status("busy", message.header);
    const content = await this.loaded.answer(message.content);
    sockets.reply("control", message, { type: "debug_reply", content });
    queue.status("idle", message.header);
  }

  get isStopped(): boolean {
    return this.adapter?.isStopped === true;
  }

  async goOn(): Promise<void> {
    await this.adapter?.goOn();
  }

  close(): void {
    this.adapter?.close();
  }

  private get loaded(): DebugAdapter {
    this.adapter ??= this.load();
    return this.adapter;
  }

  private load(): DebugAdapter {
    const { DebugAdapter: Adapter } = require("../debug/adapter") as typeof import("../debug/adapter");
    const { say, interrupt, isInterrupted, queue, sockets } = this.parts;
    return new Adapter({
      ...{ say, interrupt, isInterrupted },
      isRunning: () => queue.running !== undefined,
      publish: (content) =>
        sockets.publish({ type: "debug_event", content, parent: queue.parent ?? this.last! }),
    });
  }
}
