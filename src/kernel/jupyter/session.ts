import { setKernelHost } from "../../core/kernelHost";
import { type CellOutcome, CellRunner } from "../executor/cellRunner";
import { currentExecution } from "../executor/execution";
import type { CellFailure, CellOutputs } from "../executor/outputs";
import type { Request } from "../protocol/channel";
import type { Header } from "../protocol/wire";
import { Comms } from "./comms";
import { History } from "./history";
import { complete, inspect } from "./language";
import type { Link } from "./link";
import { CellPublisher, silence } from "./publisher";

/** Milliseconds that the last outputs have to get out when the process ends. */
const drainTime = 1000;

/** What one `execute_request` asks for. */
interface ExecuteRequest {
  code: string;
  silent: boolean;
  store_history: boolean;
  stop_on_error: boolean;
  allow_stdin: boolean;
  user_expressions: Record<string, string>;
}

/** Answers the requests of the shell channel, one after the other. */
export class Session {
  readonly executor: CellRunner;
  private readonly history = new History();
  private readonly comms: Comms;
  private count = 0;
  private last: CellPublisher | undefined;
  private parent: Header | undefined;
  private wanted = false;
  /** Whether the frontend lets the last cell ask its user. */
  private takesInput = true;

  constructor(
    private readonly link: Link,
    signals: Int32Array,
    /** The kernel's name at the server that started it. */
    id?: string,
  ) {
    this.comms = new Comms(link, () => this.currentParent());
    this.executor = new CellRunner({
      folder: process.cwd(),
      language: "typescript",
      signals,
      ask: (question) => (this.takesInput ? this.link.ask(question, this.currentParent()) : undefined),
      onExit: (code) => this.end(code),
      onWait: (wait) => this.link.waits(wait),
    });
    setKernelHost({
      id,
      openComm: (target, data, options) => this.comms.openFromHere(target, data, options),
      registerTarget: (target, open) => this.comms.register(target, open),
      clearOutput: (wait) => (currentExecution.getStore()?.outputs ?? this.last)?.clear(wait),
    });
  }

  /** Answers one request; whatever goes wrong is answered, too. */
  async take(request: Request): Promise<void> {
    this.parent = request.header;
    try {
      await this.answer(request);
    } catch (error) {
      const { ename, evalue, traceback } = this.executor.describe(error);
      this.link.finish({ status: "error", ename, evalue, traceback, execution_count: this.count });
    }
  }

  /** The process ends; where nobody asked for it, the cell that did it says so and is answered. */
  private end(code: number): void {
    const { current } = this.executor;
    if (!this.wanted) {
      const why = exited(code);
      if (current) current.outputs.error(why);
      else this.last?.stream("stderr", `${why.evalue}\n`);
      const content = { status: "error", execution_count: this.count, ...why };
      if (this.executor.isRunning) this.link.finish(content, true);
    }
    this.last?.flush();
    this.link.end(drainTime);
  }

  /** Ends the process as it was asked to. */
  shutDown(): void {
    this.wanted = true;
    process.exit(0);
  }

  private async answer(request: Request): Promise<void> {
    const { type, content } = request;
    const { compiler } = this.executor;
    const code = String(content.code ?? "");
    const cursor = Number(content.cursor_pos ?? 0);
    if (type === "execute_request") await this.execute(request);
    else if (type === "complete_request") this.link.finish(complete(compiler, code, cursor));
    else if (type === "inspect_request") this.link.finish(inspect(compiler, code, cursor));
    else if (type === "is_complete_request") this.link.finish(compiler.completeness(code));
    else if (type === "history_request")
      this.link.finish({ status: "ok", history: this.history.answer(content) });
    else if (type === "comm_info_request")
      this.link.finish({ status: "ok", comms: this.comms.info(content.target_name) });
    else {
      this.takeComm(request);
      this.link.finish();
    }
  }

  private async execute({ header, content, interrupts }: Request): Promise<void> {
    const asked = readExecute(content);
    const stores = asked.store_history && !asked.silent;
    if (stores) this.count++;
    const count = this.count;
    const publisher = new CellPublisher(this.link, header, count);
    this.takesInput = asked.allow_stdin;
    if (!asked.silent)
      this.link.publish("execute_input", { code: asked.code, execution_count: count }, header);
    if (!asked.silent) this.last = publisher;
    const outputs = asked.silent ? silence : publisher;
    const page = this.page(asked.code);
    const outcome: CellOutcome = page
      ? { status: "ok" }
      : await this.executor.execute(asked.code, stores ? `cell [${count}]` : "cell [silent]", outputs, {
          interrupts,
        });
    publisher.flush();
    if (stores) this.history.add(count, asked.code, publisher.resultText);
    const user_expressions = outcome.status === "ok" ? await this.evaluate(asked.user_expressions) : {};
    publisher.flush();
    this.reply(outcome, count, { user_expressions, payload: page ?? [] }, asked.stop_on_error);
  }

  private reply(outcome: CellOutcome, execution_count: number, extra: object, stopOnError: boolean): void {
    if (outcome.status === "ok") this.link.finish({ status: "ok", execution_count, ...extra });
    else {
      const { ename, evalue, traceback } = outcome;
      const content = { status: "error", execution_count, ename, evalue, traceback, ...extra };
      this.link.finish(content, true, stopOnError);
    }
  }

  /** `name?` shows what is known about a name in the frontend's pager. */
  private page(code: string): object[] | undefined {
    const [, name] = /^\s*([\w$.]+)\?\s*$/.exec(code) ?? [];
    if (name === undefined) return undefined;
    const { data } = inspect(this.executor.compiler, name, name.length) as { data: Record<string, string> };
    const text = data["text/plain"] ?? `${name}: no such name`;
    return [{ source: "page", data: { "text/plain": text }, start: 0 }];
  }

  private async evaluate(expressions: Record<string, string>): Promise<object> {
    const values: Record<string, object> = {};
    for (const [name, code] of Object.entries(expressions)) {
      let data: object = {};
      const outputs: CellOutputs = {
        ...silence,
        result: (bundle) => {
          data = bundle;
        },
      };
      const outcome = await this.executor.execute(code, "cell [expression]", outputs);
      const { status } = outcome;
      values[name] = outcome.status === "ok" ? { status, data, metadata: {} } : { ...outcome };
    }
    return values;
  }

  /** Handlers of comms belong to the message that called them, and print into the last cell. */
  private takeComm(request: Request): void {
    try {
      this.comms.take(request);
    } catch (error) {
      this.last?.stream("stderr", `${this.executor.describe(error).traceback.join("\n")}\n`);
    }
    this.last?.flush();
  }

  private currentParent(): Header {
    const outputs = currentExecution.getStore()?.outputs as Partial<CellPublisher> | undefined;
    return outputs?.parent ?? this.parent!;
  }
}

function exited(code: number): CellFailure {
  const evalue = `process.exit(${code}) ended the kernel; what the cells had declared is gone`;
  return { ename: "ProcessExit", evalue, traceback: [`ProcessExit: ${evalue}`] };
}

function readExecute(content: Record<string, unknown>): ExecuteRequest {
  return {
    code: String(content.code ?? ""),
    silent: content.silent === true,
    store_history: content.store_history !== false,
    stop_on_error: content.stop_on_error !== false,
    allow_stdin: content.allow_stdin !== false,
    user_expressions: (content.user_expressions ?? {}) as Record<string, string>,
  };
}
