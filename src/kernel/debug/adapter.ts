import { readFileSync } from "node:fs";
import { askedBreakpoints } from "./breakpoints";
import { CellFiles } from "./cellFiles";
import { inspections } from "./inspection";
import {
  type Arguments,
  type DebugEvent,
  type DebugRequest,
  type DebugResponse,
  listOf,
  objectOf,
  Refusal,
  textOf,
} from "./messages";
import { DebuggedThread, type Surroundings, threadId } from "./thread";

/** What the kernel does for the debugger. */
export interface Kernel extends Omit<Surroundings, "emit"> {
  publish(event: DebugEvent): void;
  /** Ends the running cell, also one that is stopped. */
  interrupt(): Promise<void>;
  /** Whether a cell runs. */
  isRunning(): boolean;
}

/** What a frontend may ask for beside the rest of the protocol. */
const capabilities = {
  supportsConfigurationDoneRequest: true,
  supportsConditionalBreakpoints: true,
  supportsHitConditionalBreakpoints: true,
  supportsSetVariable: true,
  supportsExceptionInfoRequest: true,
  supportsTerminateRequest: true,
  supportTerminateDebuggee: true,
  supportsModulesRequest: true,
  supportsDelayedStackTraceLoading: true,
  exceptionBreakpointFilters: [
    { filter: "uncaught", label: "Exceptions that no cell catches" },
    { filter: "all", label: "All exceptions" },
  ],
};

/** Jupyter's debug protocol: the Debug Adapter Protocol, and what Jupyter has added to it. */
export class DebugAdapter {
  private readonly files = new CellFiles();
  private thread: DebuggedThread | undefined;
  private sent = 0;
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly kernel: Kernel) {}

  /** Answers a request when those before it are answered; whatever is wrong with it is its answer. */
  answer(request: DebugRequest): Promise<DebugResponse> {
    const answered = this.last.then(() => this.take(request));
    this.last = answered;
    return answered;
  }

  /** Whether a cell is stopped. */
  get isStopped(): boolean {
    return this.thread?.halt !== undefined;
  }

  /** Lets a cell that is stopped go on. */
  async goOn(): Promise<void> {
    if (this.isStopped) await this.thread!.resume();
  }

  /** The process ends. A cell that is stopped stays so. */
  close(): void {
    if (!this.isStopped) this.thread?.close();
    this.files.remove();
  }

  private async take(request: DebugRequest): Promise<DebugResponse> {
    const command = typeof request.command === "string" ? request.command : "";
    const request_seq = Number.isSafeInteger(request.seq) ? (request.seq as number) : 0;
    const head = { type: "response" as const, request_seq, command };
    try {
      if (command === "") throw new Refusal("command: expected the name of a request");
      const body = await this.do(command, objectOf(request.arguments, "arguments"));
      return { ...head, seq: ++this.sent, success: true, body };
    } catch (error) {
      return { ...head, seq: ++this.sent, success: false, message: (error as Error).message };
    }
  }

  private async do(command: string, args: Arguments): Promise<object> {
    const own = Object.hasOwn(this.commands, command) ? this.commands[command] : undefined;
    if (own) return (await own(args)) ?? {};
    if (!Object.hasOwn(inspections, command)) throw new Refusal(`${command}: no such request`);
    return inspections[command]!(this.started, args);
  }

  private get started(): DebuggedThread {
    if (!this.thread) throw new Refusal("the debugger is not started: initialize comes first");
    return this.thread;
  }

  private readonly commands: Record<string, (args: Arguments) => Promise<object | undefined>> = {
    initialize: async () => {
      await this.start();
      return capabilities;
    },
    attach: async () => this.announceStart(),
    launch: async () => this.announceStart(),
    configurationDone: async () => void this.started,
    debugInfo: async () => this.info(),
    dumpCell: async (args) => ({ sourcePath: this.files.dump(textOf(args, "code")) }),
    source: async (args) => this.source(args),
    setBreakpoints: async (args) => {
      const path = textOf(objectOf(args.source, "source"), "path");
      const breakpoints = await this.started.breakpoints.set(path, askedBreakpoints(args), this.textOf(path));
      return { breakpoints };
    },
    setExceptionBreakpoints: async (args) => this.stopAtExceptions(listOf(args, "filters")),
    continue: async () => {
      await this.started.resume();
      return { allThreadsContinued: true };
    },
    next: async () => void (await this.started.stepOn("next")),
    stepIn: async () => void (await this.started.stepOn("stepIn")),
    stepOut: async () => void (await this.started.stepOn("stepOut")),
    pause: async () => {
      if (!this.kernel.isRunning()) throw new Refusal("no cell runs");
      await this.started.pause();
      return undefined;
    },
    disconnect: async (args) => this.end(args.terminateDebuggee === true),
    terminate: async () => {
      await this.end(this.kernel.isRunning());
      this.emit("terminated", {});
      return undefined;
    },
  };

  private async start(): Promise<void> {
    if (this.thread) return; // another frontend's, or this one's before its page was loaded again
    const { say, isInterrupted } = this.kernel;
    const thread = new DebuggedThread(this.files, {
      say,
      isInterrupted,
      emit: (event, body) => this.emit(event, body),
    });
    this.thread = thread;
    await thread.start().catch((error) => {
      thread.close();
      this.thread = undefined;
      throw error;
    });
  }

  private announceStart(): undefined {
    if (this.started) this.emit("initialized", {});
  }

  private async end(interrupts: boolean): Promise<undefined> {
    if (interrupts) await this.kernel.interrupt();
    const { thread } = this;
    this.thread = undefined;
    await thread?.end();
    return undefined;
  }

  private async stopAtExceptions(filters: readonly unknown[]): Promise<undefined> {
    const known = capabilities.exceptionBreakpointFilters.map(({ filter }) => filter);
    for (const filter of filters)
      if (!known.includes(filter as string))
        throw new Refusal(`filters: expected some of ${known.join(", ")}, came ${filter}`);
    await this.started.stopAtExceptions(filters as string[]);
    return undefined;
  }

  private info(): object {
    const { prefix, suffix, seed } = this.files;
    return {
      isStarted: this.thread !== undefined,
      ...{ hashMethod: "Murmur2", hashSeed: seed, tmpFilePrefix: prefix, tmpFileSuffix: suffix },
      breakpoints: this.thread?.breakpoints.list() ?? [],
      stoppedThreads: this.isStopped ? [threadId] : [],
      richRendering: true,
      copyToGlobals: true,
      exceptionPaths: [],
    };
  }

  private source(args: Arguments): object {
    const path = textOf(objectOf(args.source, "source"), "path");
    const content = this.textOf(path);
    if (content === undefined)
      throw new Refusal(`${path}: neither a cell that was dumped nor a file that cells run`);
    return { content, mimeType: "text/typescript" };
  }

  /** What is in a cell or a file. */
  private textOf(path: string): string | undefined {
    const known = this.files.text(path) ?? this.thread?.scripts.withPath(path).at(-1)?.text;
    if (known !== undefined) return known;
    try {
      return /\.[cm]?[jt]sx?$/.test(path) ? readFileSync(path, "utf8") : undefined;
    } catch {
      return undefined;
    }
  }

  private emit(event: string, body: object): void {
    this.kernel.publish({ type: "event", seq: ++this.sent, event, body });
  }
}
