import { type ChildProcess, spawn } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as zmq from "zeromq";
import type { Connection } from "../../../src/kernel/protocol/channel";
import { type Message, Wire } from "../../../src/kernel/protocol/wire";
import { temporaryFolder } from "../../support/temporaryFolder";

// biome-ignore lint/suspicious/noExplicitAny: contents of messages are looked at field by field
export type Content = any;

/** Everything that belongs to one request. */
export interface Exchange {
  id: string;
  /** The reply's content. */
  reply: Content;
  /** Messages on iopub that name the request, up to its idle. */
  published: { type: string; content: Content }[];
}

type Channel = "shell" | "control";

/** What a message may have that most have not: another key than the kernel's, and buffers. */
interface Special {
  key?: string;
  buffers?: Uint8Array[];
}

/** Kernels that were started and not closed: those of a test that failed would keep its file from ending. */
const left = new Set<KernelClient>();
const closeLeft = () => {
  for (const client of left) client.close();
};
// A program that is no file of tests would become one by it.
if (process.argv[1]?.endsWith(".test.js")) after(closeLeft);

/** A kernel in a process of its own, and a frontend of it. */
export class KernelClient {
  readonly iopub: Message[] = [];
  private readonly wire: Wire;
  private readonly shell = new zmq.Dealer({ routingId: "client" });
  private readonly control = new zmq.Dealer({ routingId: "client" });
  private readonly stdin = new zmq.Dealer({ routingId: "client" });
  private readonly subscriber = new zmq.Subscriber({ receiveHighWaterMark: 0 });
  private readonly heartbeat = new zmq.Request();
  private readonly replies = new Map<string, Message>();
  readonly stdinRequests: Message[] = [];
  exitCode: number | null | undefined;

  private constructor(
    private readonly connection: Connection,
    readonly process: ChildProcess,
    readonly folder: string,
  ) {
    this.wire = new Wire(connection.key, connection.signature_scheme);
    process.on("exit", (code) => {
      this.exitCode = code;
    });
  }

  /**
   * Starts our kernel, or one that `command` of Node, or of another program, starts from a connection file, in a folder of
   * its own or a given one.
   */
  static async start(
    command: (file: string) => string[] = ourKernel,
    folder: string = temporaryFolder("jupyter"),
    program: string = process.execPath,
  ): Promise<KernelClient> {
    const [shell_port, control_port, iopub_port, stdin_port, hb_port] = await freePorts(5);
    const connection = {
      transport: "tcp",
      ip: "127.0.0.1",
      key: randomUUID(),
      signature_scheme: "hmac-sha256",
      ...{ shell_port, control_port, iopub_port, stdin_port, hb_port },
    } as Connection;
    const file = join(temporaryFolder("connection"), `kernel-${randomUUID()}.json`);
    writeFileSync(file, JSON.stringify(connection));
    const child = spawn(program, command(file), {
      cwd: folder,
      stdio: ["ignore", "inherit", "inherit"],
    });
    const client = new KernelClient(connection, child, folder);
    left.add(client);
    await client.connect();
    return client;
  }

  /** Sends a request and waits for its reply and its idle. */
  async ask(type: string, content: object = {}, channel: Channel = "shell"): Promise<Exchange> {
    return this.answer(this.send(type, content, channel));
  }

  run(code: string, more: object = {}): Promise<Exchange> {
    return this.ask("execute_request", { ...defaults, code, ...more });
  }

  /** Sends a request; returns its id. */
  send(type: string, content: object = {}, channel: Channel = "shell", special: Special = {}): string {
    const { key, buffers } = special;
    const wire = key === undefined ? this.wire : new Wire(key, "hmac-sha256");
    const frames = wire.encode([], { type, content, buffers });
    const header = JSON.parse(String(frames[2])) as { msg_id: string };
    void this[channel].send(frames);
    return header.msg_id;
  }

  /** Sends frames that need not be a message. */
  sendFrames(frames: (string | Buffer | Uint8Array)[], channel: Channel | "stdin" = "shell"): void {
    void this[channel].send(frames);
  }

  /** The frames of a request, signed as the kernel wants them. */
  frames(type: string, content: unknown): (string | Buffer | Uint8Array)[] {
    return this.wire.encode([], { type, content: content as object });
  }

  /** The frames of a request whose content is this text, signed. */
  signed(type: string, content: string): (string | Buffer | Uint8Array)[] {
    const frames = this.frames(type, {});
    const hmac = createHmac("sha256", this.connection.key);
    for (const part of [...frames.slice(2, 5), content]) hmac.update(part);
    return [frames[0]!, hmac.digest("hex"), ...frames.slice(2, 5), content];
  }

  /** The kernel's ports. */
  get ports(): Record<"shell" | "control" | "iopub" | "stdin" | "heartbeat", number> {
    const { shell_port, control_port, iopub_port, stdin_port, hb_port } = this.connection;
    return {
      shell: shell_port,
      control: control_port,
      iopub: iopub_port,
      stdin: stdin_port,
      heartbeat: hb_port,
    };
  }

  start(code: string, more: object = {}): string {
    return this.send("execute_request", { ...defaults, code, ...more });
  }

  async answer(id: string, timeout = 30_000): Promise<Exchange> {
    const idle = () =>
      this.iopub.some(({ parent, header, content }) => {
        return parent.msg_id === id && header.msg_type === "status" && content.execution_state === "idle";
      });
    await this.until(() => this.replies.has(id) && idle(), timeout, `no reply or no idle for ${id}`);
    return { id, reply: this.replies.get(id)!.content, published: this.published(id) };
  }

  published(id: string): { type: string; content: Content }[] {
    const own = this.iopub.filter(({ parent }) => parent.msg_id === id);
    return own.map(({ header, content }) => ({ type: header.msg_type, content }));
  }

  /** The reply's content, whether or not the kernel says that it is idle again. */
  async reply(type: string, content: object, channel: Channel): Promise<Content> {
    const id = this.send(type, content, channel);
    await this.until(() => this.replies.has(id), 30_000, `no reply for ${id}`);
    return this.replies.get(id)!.content;
  }

  async until(happened: () => boolean, timeout = 30_000, otherwise = "it did not happen"): Promise<void> {
    for (const end = Date.now() + timeout; !happened(); await sleep(5))
      if (Date.now() > end) throw new Error(`${otherwise} within ${timeout} ms`);
  }

  answerInput(value: string): void {
    void this.stdin.send(this.wire.encode([], { type: "input_reply", content: { value } }));
  }

  async beat(): Promise<string> {
    await this.heartbeat.send("ping");
    return String((await this.heartbeat.receive())[0]);
  }

  /** What the kernel sends a subscriber of `topic` that has just come, and nothing before it. */
  async subscribe(topic = "", timeout = 5_000): Promise<Content> {
    const late = new zmq.Subscriber({ receiveTimeout: timeout });
    const wire = new Wire(this.connection.key, this.connection.signature_scheme);
    try {
      late.subscribe(topic);
      late.connect(`tcp://127.0.0.1:${this.connection.iopub_port}`);
      for (;;) {
        const message = wire.decode(await late.receive());
        if (message?.header.msg_type === "iopub_welcome") return message.content;
      }
    } finally {
      late.close();
    }
  }

  interrupt(): Promise<Exchange> {
    return this.ask("interrupt_request", {}, "control");
  }

  close(): void {
    if (!left.delete(this)) return;
    for (const socket of [this.shell, this.control, this.stdin, this.subscriber, this.heartbeat])
      socket.close();
    this.process.kill("SIGKILL");
  }

  private async connect(): Promise<void> {
    const { connection: to } = this;
    const at = (port: number) => `tcp://127.0.0.1:${port}`;
    this.subscriber.subscribe();
    this.subscriber.connect(at(to.iopub_port));
    this.shell.connect(at(to.shell_port));
    this.control.connect(at(to.control_port));
    this.stdin.connect(at(to.stdin_port));
    this.heartbeat.connect(at(to.hb_port));
    void this.listen(this.subscriber, (message) => void this.iopub.push(message));
    for (const socket of [this.shell, this.control])
      void this.listen(socket, (message) => void this.replies.set(String(message.parent.msg_id), message));
    void this.listen(this.stdin, (message) => void this.stdinRequests.push(message));
    // A subscriber that joins late misses messages: ask until one comes.
    for (let tries = 0; tries < 100; tries++) {
      const id = this.send("kernel_info_request");
      await sleep(100);
      if (this.published(id).length > 0) return;
    }
    throw new Error("the kernel does not publish");
  }

  private async listen(socket: zmq.Dealer | zmq.Subscriber, take: (message: Message) => void): Promise<void> {
    for await (const frames of socket) {
      const message = this.wire.decode(frames);
      if (message) take(message);
    }
  }
}

function ourKernel(connectionFile: string): string[] {
  return [join(__dirname, "../../../src/kernel/main.js"), connectionFile];
}

const defaults = {
  silent: false,
  store_history: true,
  allow_stdin: true,
  stop_on_error: true,
  user_expressions: {},
};

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
