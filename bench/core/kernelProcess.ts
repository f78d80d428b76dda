import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import * as zmq from "zeromq";
import { Wire } from "../../src/kernel/protocol/wire";

type Content = Record<string, unknown>;

/** For any one answer: far longer than it takes. */
const LIMIT_MS = 60_000;

/** A kernel that was asked and did not answer. */
export class Unanswered extends Error {}

const ports = ["shell_port", "control_port", "iopub_port", "stdin_port", "hb_port"];

/** A Jupyter kernel in a process of its own, asked without any frontend between, so that its own time is seen. */
export class KernelProcess {
  private readonly wire: Wire;
  private readonly shell = new zmq.Dealer({ reconnectInterval: 5, linger: 0 });
  private readonly control = new zmq.Dealer({ reconnectInterval: 5, linger: 0 });
  private readonly waiting = new Map<string, (content: Content) => void>();

  private constructor(
    private readonly child: ChildProcess,
    key: string,
    readonly folder: string,
    addresses: Record<"shell" | "control", string>,
  ) {
    this.wire = new Wire(key, "hmac-sha256");
    for (const name of ["shell", "control"] as const) {
      this[name].connect(addresses[name]);
      void this.listen(this[name]);
    }
  }

  /** Starts `node <argv> <connection file>` in `cwd`; returns at once, requests wait for the kernel. */
  static async start(argv: readonly string[], cwd: string, env = process.env): Promise<KernelProcess> {
    const folder = mkdtempSync(join(tmpdir(), "luvit-bench-kernel-"));
    const free = await freePorts(ports.length);
    const numbers = Object.fromEntries(ports.map((name, i) => [name, free[i]!]));
    const key = randomUUID();
    const connection = {
      transport: "tcp",
      ip: "127.0.0.1",
      key,
      signature_scheme: "hmac-sha256",
      ...numbers,
    };
    const file = join(folder, "connection.json");
    writeFileSync(file, JSON.stringify(connection));
    const child = spawn(process.execPath, [...argv, file], { cwd, env, stdio: "ignore" });
    const at = (name: string) => `tcp://127.0.0.1:${numbers[name]}`;
    return new KernelProcess(child, key, folder, { shell: at("shell_port"), control: at("control_port") });
  }

  /** Runs a cell; resolves with the reply. @throws where the cell did not succeed. */
  async run(code: string): Promise<void> {
    const options = { silent: false, store_history: true, allow_stdin: false, stop_on_error: true };
    const asked = this.ask("shell", "execute_request", { code, user_expressions: {}, ...options });
    const reply = await this.inTime(code, asked);
    if (reply.status !== "ok") throw new Error(`${code}: ${reply.status} ${reply.evalue ?? ""}`);
  }

  /** Asks the kernel to end and waits until its process has. */
  async shutdown(): Promise<void> {
    const ended = once(this.child, "exit");
    this.send(this.control, "shutdown_request", { restart: false });
    await this.inTime("shutdown", ended);
    this.close();
  }

  /** Ends the process as a system does that has no time to ask. */
  async kill(): Promise<void> {
    const ended = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await ended;
    this.close();
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Ends the process if nothing comes in time. @throws Unanswered */
  private async inTime<T>(what: string, answer: Promise<T>): Promise<T> {
    const done = new AbortController();
    const late = pause(LIMIT_MS, undefined, { signal: done.signal }).then(() => {
      this.child.kill("SIGKILL");
      this.close();
      throw new Unanswered(`${what}: no answer within ${LIMIT_MS / 1000} s`);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      done.abort();
    }
  }

  private close(): void {
    this.shell.close();
    this.control.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private ask(channel: "shell", type: string, content: object): Promise<Content> {
    return new Promise((resolve) => this.waiting.set(this.send(this[channel], type, content), resolve));
  }

  private send(socket: zmq.Dealer, type: string, content: object): string {
    const frames = this.wire.encode([], { type, content });
    void socket.send(frames);
    return (JSON.parse(String(frames[2])) as { msg_id: string }).msg_id;
  }

  private async listen(socket: zmq.Dealer): Promise<void> {
    for await (const frames of socket) {
      const message = this.wire.decode(frames);
      if (message) this.waiting.get(String(message.parent.msg_id))?.(message.content);
    }
  }
}

/** Ports that nobody listens at. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const free = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return free;
}
