import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { join } from "node:path";
import { LuvitError } from "../../core/errors";
import type { ArraysByName } from "../executor";
import { Channel } from "./channel";
import { describeDeath } from "./death";
import type { ProcessEngine } from "./engines";
import { engineEnvironment, launcherDescriptor } from "./environment";
import type { Frame } from "./frames";
import { memoryLimit, memoryOf, oomKills, type ProcessMemory } from "./memory";
import { type Reply, type Request, unpackError } from "./messages";

/** An answer with its arrays. */
export type Answer = Reply & { arrays: ArraysByName };

interface Pending {
  /** "run train", for the message if the process dies. */
  task: string;
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

const KEPT_OUTPUT = 16_384;
const MEMORY_INTERVAL_MS = 500;
/** Descendants of the process may hold its output open; the message does not wait for them. */
const OUTPUT_GRACE_MS = 500;
/** A process that closes its channel is on its way out and has a reason of its own, if it is given the time. */
const EXIT_GRACE_MS = 2000;

/** The near end of an engine process: asks, and says why there is no answer when the process has died. */
export class EngineProcess {
  /** Executors that live in it. */
  readonly executors = new Set<number>();
  private readonly child: ChildProcess;
  private readonly channel: Channel;
  private readonly pending = new Map<number, Pending>();
  private readonly oomBefore = oomKills();
  private readonly gone: Promise<void>;
  private nextId = 0;
  private output = "";
  private memory: ProcessMemory | undefined;
  private memoryRead = 0;
  private memoryTimer: NodeJS.Timeout | undefined;
  private fault: string | undefined;
  private stopped = false;
  private end: LuvitError | undefined;

  constructor(
    readonly engine: ProcessEngine,
    environment: Readonly<Record<string, string>>,
  ) {
    this.child = spawnEngine(engine, environment);
    this.channel = Channel.over(this.child.stdio[3] as Socket, {
      onFrame: (frame) => this.settle(frame),
      onEnd: (error) => this.onChannelEnd(error),
    });
    this.child.stdin!.on("error", () => undefined);
    for (const stream of [this.child.stdout!, this.child.stderr!])
      stream.on("data", (text) => this.keepOutput(text)).on("error", () => undefined);
    this.gone = this.untilGone();
    this.letGo();
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  get alive(): boolean {
    return this.end === undefined && !this.stopped && this.fault === undefined;
  }

  /** @throws LuvitError("engine-died") when the process is gone or goes before it has answered. */
  ask(task: string, request: Request, arrays: ArraysByName = {}): Promise<Answer> {
    if (this.end) return Promise.reject(this.ended());
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      if (this.pending.size === 0) this.holdOn();
      this.pending.set(id, { task, resolve, reject });
      this.channel.send({ message: { id, ...request }, arrays }).catch((error) => {
        this.take(id)?.reject(error);
      });
    });
  }

  /** Ends the process; what it had not finished is rejected. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.child.ref();
    this.child.kill("SIGKILL");
    await this.gone;
  }

  private settle({ message, arrays }: Frame): void {
    const { id, ...reply } = message as Reply;
    const pending = this.take(id);
    if (reply.error) pending?.reject(unpackError(reply.error, `${this.name} could not ${pending.task}`));
    else pending?.resolve({ id, ...reply, arrays });
  }

  private take(id: number): Pending | undefined {
    const pending = this.pending.get(id);
    if (pending && this.pending.delete(id) && this.pending.size === 0) this.letGo();
    return pending;
  }

  /** While somebody waits for an answer, this process must not end. */
  private holdOn(): void {
    this.child.ref();
    this.channel.ref();
    this.readMemory();
    this.memoryTimer = setInterval(() => this.readMemory(), MEMORY_INTERVAL_MS).unref();
  }

  private letGo(): void {
    clearInterval(this.memoryTimer);
    this.readMemory();
    this.channel.unref();
    this.child.unref();
    for (const stream of [this.child.stdin, this.child.stdout, this.child.stderr])
      (stream as Socket | null)?.unref();
  }

  private readMemory(): void {
    if (this.pid === undefined || performance.now() - this.memoryRead < MEMORY_INTERVAL_MS / 2) return;
    this.memoryRead = performance.now();
    this.memory = memoryOf(this.pid) ?? this.memory;
  }

  private keepOutput(text: Buffer): void {
    this.output = (this.output + text.toString("utf8")).slice(-KEPT_OUTPUT);
  }

  private onChannelEnd(error: Error | undefined): void {
    const closed = !error || /EPIPE|ECONNRESET/.test((error as NodeJS.ErrnoException).code ?? "");
    if (closed) {
      const timer = setTimeout(() => this.child.kill("SIGKILL"), EXIT_GRACE_MS);
      void this.gone.then(() => clearTimeout(timer));
    } else {
      this.fault ??= `its messages cannot be read (${error.message})`;
      this.child.kill("SIGKILL");
    }
  }

  private get name(): string {
    return `the ${this.engine} engine process (pid ${this.pid ?? "none"})`;
  }

  private async untilGone(): Promise<void> {
    const [exitCode, signal] = await this.exit();
    const unfinished = [...this.pending.values()].map(({ task }) => task);
    const { name: what, fault, oomBefore, memory, output } = this;
    const death = {
      what,
      exitCode,
      signal,
      fault,
      oomBefore,
      oomAfter: oomKills(),
      memory,
      memoryLimit: memoryLimit(),
      unfinished,
      output,
    };
    this.end = this.stopped
      ? new LuvitError("engine", `${what} was stopped`)
      : new LuvitError("engine-died", describeDeath(death));
    for (const id of [...this.pending.keys()]) this.take(id)!.reject(this.ended());
    this.executors.clear();
    this.channel.close();
  }

  /** Every caller gets an error with a stack of its own. */
  private ended(): LuvitError {
    return new LuvitError(this.end!.code, this.end!.message);
  }

  private exit(): Promise<[code: number | null, signal: string | null]> {
    return new Promise((resolve) => {
      this.child.on("error", (error) => {
        this.fault ??= `it could not be started (${error.message})`;
        if (this.pid === undefined) resolve([null, null]);
      });
      let grace: NodeJS.Timeout | undefined;
      this.child.on("exit", (code, signal) => {
        grace = setTimeout(resolve, OUTPUT_GRACE_MS, [code, signal]);
      });
      this.child.on("close", (code, signal) => {
        clearTimeout(grace);
        resolve([code, signal]);
      });
    });
  }
}

/** In a process group of its own: a Ctrl-C in the terminal is for the notebook's process to decide on. */
function spawnEngine(engine: ProcessEngine, environment: Readonly<Record<string, string>>): ChildProcess {
  const env = { ...engineEnvironment(process.env), ...environment };
  const launcher = launcherDescriptor(env);
  return spawn(process.execPath, [join(__dirname, "main.js"), engine], {
    stdio: ["pipe", "pipe", "pipe", "pipe", ...(launcher === undefined ? [] : [launcher])],
    env: launcher === undefined ? env : { ...env, PMI_FD: "4" },
    detached: true,
    windowsHide: true,
  });
}
