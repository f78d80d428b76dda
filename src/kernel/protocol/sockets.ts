import { setTimeout as sleep } from "node:timers/promises";
import * as zmq from "zeromq";
import type { Connection } from "./channel";
import { type Message, type Outgoing, Wire } from "./wire";

export type RequestChannel = "shell" | "control";

/** Most bytes of one frame of a request; who sends more is disconnected before the rest is taken in. */
const requestLimit = 256 * 1024 * 1024;
/** The same where only control messages, subscriptions and heartbeats come. */
const smallLimit = 1024 * 1024;

/** What the first byte of a publisher's event says of the topic behind it. */
const SUBSCRIBES = 1;
/** No frontend's topic is as long; longer ones are subscribed to without a welcome. */
const LONGEST_TOPIC = 256;

const requests = { linger: 500, maxMessageSize: requestLimit };

/**
 * The five sockets of a kernel. Everything sent is sent in the order of the calls; nothing is dropped. Whatever comes
 * in, from whomever, they go on.
 */
export class Sockets {
  private readonly wire: Wire;
  private readonly shell = new zmq.Router(requests);
  private readonly control = new zmq.Router({ ...requests, maxMessageSize: smallLimit });
  private readonly stdin = new zmq.Router(requests);
  /** Without a limit: output must not be lost because a frontend is slow. It tells of each subscription. */
  private readonly iopub = new zmq.XPublisher({
    linger: 500,
    sendHighWaterMark: 0,
    maxMessageSize: smallLimit,
    verbosity: "allSubs",
  });
  /** Takes frames as they are: a reply socket fails at a frame without the delimiter of a request. */
  private readonly heartbeat = new zmq.Router({ linger: 0, maxMessageSize: smallLimit });
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
    void this.welcome();
  }

  /** Calls `take` with each message that is well-formed and signed. */
  listen(channel: RequestChannel | "stdin", take: (message: Message) => void): Promise<void> {
    return receive(this[channel], (frames) => {
      const message = this.wire.decode(frames);
      if (message) take(message);
    });
  }

  /** Answers a request on the channel it came by. */
  reply(channel: RequestChannel | "stdin", to: Message, outgoing: Outgoing): void {
    const frames = this.wire.encode(to.identities, { parent: to.header, ...outgoing });
    this.enqueue(() => this[channel].send(frames));
  }

  /** Sends a message to everybody; `sent` is called when it is out. */
  publish(outgoing: Outgoing, sent: () => void = () => {}, topic: string | Buffer = outgoing.type): void {
    this.enqueue(async () => {
      try {
        await this.iopub.send(this.wire.encode([topic], outgoing));
      } finally {
        sent();
      }
    });
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

  private beat(): Promise<void> {
    return receive(this.heartbeat, (frames) => this.heartbeat.send(frames));
  }

  /**
   * Tells each frontend when its subscription has arrived, so that it need not guess from when on it hears everything.
   *
   * Reference: Jupyter's message specification 5.4, welcome message (JEP 65).
   */
  private welcome(): Promise<void> {
    return receive(this.iopub, ([event]) => {
      const topic = event?.subarray(1);
      if (event?.[0] !== SUBSCRIBES || !topic || topic.length > LONGEST_TOPIC) return;
      const content = { subscription: topic.toString("utf8") };
      this.publish({ type: "iopub_welcome", content }, undefined, topic);
    });
  }
}

/** Gives every message to `take` until the socket is closed; what goes wrong with one of them is that one's. */
async function receive(
  socket: zmq.Router | zmq.XPublisher,
  take: (frames: Buffer[]) => unknown,
): Promise<void> {
  while (!socket.closed) {
    try {
      await take(await socket.receive());
    } catch (error) {
      if (socket.closed) return;
      reportFault(error);
      await sleep(10); // so that a fault that stays does not take the thread
    }
  }
}

let reportedFaults = 0;

/** Says on the kernel's log what went wrong with a message, the first times. */
export function reportFault(error: unknown): void {
  if (++reportedFaults <= 20)
    process.stderr.write(`luvit kernel: a message was dropped: ${(error as Error).message}\n`);
}

function address({ transport, ip }: Connection, port: number): string {
  return transport === "ipc" ? `ipc://${ip}-${port}` : `${transport}://${ip}:${port}`;
}
