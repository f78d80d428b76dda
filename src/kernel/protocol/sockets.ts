import * as zmq from "zeromq";
import type { Connection } from "./channel";
import { type Message, type Outgoing, Wire } from "./wire";

export type RequestChannel = "shell" | "control";

/** The five sockets of a kernel. Everything sent is sent in the order of the calls; nothing is dropped. */
export class Sockets {
  private readonly wire: Wire;
  private readonly shell = new zmq.Router({ linger: 500 });
  private readonly control = new zmq.Router({ linger: 500 });
  private readonly stdin = new zmq.Router({ linger: 500 });
  /** Without a limit: output must not be lost because a frontend is slow. */
  private readonly iopub = new zmq.Publisher({ linger: 500, sendHighWaterMark: 0 });
  private readonly heartbeat = new zmq.Reply({ linger: 0 });
  private sending: Promise<unknown> = Promise.resolve();

  constructor(readonly connection: Connection) {
    this.wire = new Wire(connection.key, connection.signature_scheme);
  }

  /** Binds all sockets and starts to answer heartbeats. */
  async open(): Promise<void> {
    const { connection: to } = this;
    await Promise.all([
      this.shell.bind(address(to, to.shell_port)),
      this.control.bind(address(to, to.control_port)),
      this.stdin.bind(address(to, to.stdin_port)),
      this.iopub.bind(address(to, to.iopub_port)),
      this.heartbeat.bind(address(to, to.hb_port)),
    ]);
    void this.beat();
  }

  /** Calls `take` with each message that is well-formed and signed. */
  async listen(channel: RequestChannel | "stdin", take: (message: Message) => void): Promise<void> {
    for await (const frames of this[channel]) {
      const message = this.wire.decode(frames);
      if (message) take(message);
    }
  }

  /** Answers a request on the channel it came by. */
  reply(channel: RequestChannel | "stdin", to: Message, outgoing: Outgoing): void {
    const frames = this.wire.encode(to.identities, { parent: to.header, ...outgoing });
    this.enqueue(() => this[channel].send(frames));
  }

  /** Sends a message to everybody; `sent` is called when it is out. */
  publish(outgoing: Outgoing, sent: () => void = () => {}): void {
    const frames = this.wire.encode([outgoing.type], outgoing);
    this.enqueue(() => this.iopub.send(frames).finally(sent));
  }

  /** Sends everything, then closes all sockets: an open one would abort a process that exits. */
  async close(): Promise<void> {
    await this.sending;
    for (const socket of [this.shell, this.control, this.stdin, this.iopub, this.heartbeat]) socket.close();
  }

  /** One send at a time: zeromq refuses a second one while the first waits. */
  private enqueue(send: () => Promise<void>): void {
    this.sending = this.sending.then(send).catch(() => {}); // a frontend that went away
  }

  private async beat(): Promise<void> {
    for await (const frames of this.heartbeat) await this.heartbeat.send(frames);
  }
}

function address({ transport, ip }: Connection, port: number): string {
  return transport === "ipc" ? `ipc://${ip}-${port}` : `${transport}://${ip}:${port}`;
}
