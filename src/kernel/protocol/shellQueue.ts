import type { ToCells, ToProtocol } from "./channel";
import type { RequestChannel, Sockets } from "./sockets";
import type { Header, Message } from "./wire";

type Finish = Extract<ToProtocol, { kind: "finish" }>;
type Ask = Extract<ToProtocol, { kind: "ask" }>;

/** Requests the cells' thread answers with `<name>_reply`. */
const answered = new Set([
  "execute_request",
  "inspect_request",
  "complete_request",
  "history_request",
  "is_complete_request",
  "comm_info_request",
]);
/** Messages it takes without an answer. */
const taken = new Set(["comm_open", "comm_msg", "comm_close"]);

/** The shell channel: one request after the other, each between its own busy and idle. */
export class ShellQueue {
  private readonly waiting: Message[] = [];
  private current: Message | undefined;
  private readonly sockets: Sockets;
  private readonly toCells: (message: ToCells) => void;
  private readonly interrupts: () => number;
  private readonly info: object;
  private readonly shutdown: () => Promise<void>;

  constructor(parts: {
    sockets: Sockets;
    toCells: (message: ToCells) => void;
    interrupts: () => number;
    info: object;
    shutdown: () => Promise<void>;
  }) {
    const { sockets, toCells, interrupts, info, shutdown } = parts;
    this.sockets = sockets;
    this.toCells = toCells;
    this.interrupts = interrupts;
    this.info = info;
    this.shutdown = shutdown;
  }

  add(message: Message): void {
    this.waiting.push(message);
    this.next();
  }

  status(execution_state: "starting" | "busy" | "idle", parent: Header | Record<string, never>): void {
    this.sockets.publish({ type: "status", content: { execution_state }, parent });
  }

  /** Names the request that is being answered. */
  get running(): string | undefined {
    return this.current?.header.msg_id;
  }

  /** Its header. */
  get parent(): Header | undefined {
    return this.current?.header;
  }

  /** Writes a line below the running cell. */
  say(text: string): void {
    const parent = this.current?.header;
    if (parent)
      this.sockets.publish({ type: "stream", content: { name: "stderr", text: `${text}\n` }, parent });
  }

  /** Answers what needs no cell. */
  answerAtOnce(channel: RequestChannel, message: Message): void {
    const { msg_type } = message.header;
    const { connection } = this.sockets;
    const content = {
      kernel_info_request: this.info,
      interrupt_request: {},
      shutdown_request: { restart: message.content.restart === true },
      connect_request: {
        shell_port: connection.shell_port,
        iopub_port: connection.iopub_port,
        stdin_port: connection.stdin_port,
        hb_port: connection.hb_port,
        control_port: connection.control_port,
      },
    }[msg_type];
    this.sockets.reply(channel, message, {
      type: replyType(msg_type),
      content: { status: "ok", ...content },
    });
  }

  /** Ends the current request. After a failure those that already wait are aborted, unless it asked otherwise. */
  finish({ content, failed, stopOnError }: Finish): void {
    const { current } = this;
    if (!current) return;
    if (content) this.sockets.reply("shell", current, { type: replyType(current.header.msg_type), content });
    this.status("idle", current.header);
    this.current = undefined;
    if (failed && stopOnError)
      this.abortWaiting((content as { execution_count?: number }).execution_count ?? 0);
    this.next();
  }

  /** Asks the frontend of the current request. */
  ask({ prompt, password }: Ask): void {
    if (this.current)
      this.sockets.reply("stdin", this.current, { type: "input_request", content: { prompt, password } });
  }

  private next(): void {
    while (!this.current && this.waiting.length > 0) this.start(this.waiting.shift()!);
  }

  private start(message: Message): void {
    const { header, content, metadata, buffers } = message;
    const type = header.msg_type;
    this.status("busy", header);
    if (answered.has(type) || taken.has(type)) {
      this.current = message;
      const interrupts = this.interrupts();
      this.handOver({ kind: "request", request: { type, header, content, metadata, buffers, interrupts } });
      return;
    }
    if (["kernel_info_request", "connect_request", "shutdown_request"].includes(type))
      this.answerAtOnce("shell", message);
    this.status("idle", header);
    if (type === "shutdown_request") void this.shutdown();
  }

  /** What is too deeply nested for the way to the cells' thread is answered here. */
  private handOver(message: ToCells): void {
    try {
      this.toCells(message);
    } catch (error) {
      const type = this.current!.header.msg_type;
      const evalue = `the request cannot be read: ${(error as Error).message}`;
      const content = { status: "error", ename: "BadRequest", evalue, traceback: [evalue] };
      this.finish({ kind: "finish", content: answered.has(type) ? content : undefined });
    }
  }

  private abortWaiting(execution_count: number): void {
    const aborted = this.waiting.filter(({ header }) => header.msg_type === "execute_request");
    for (const message of aborted) {
      this.waiting.splice(this.waiting.indexOf(message), 1);
      this.status("busy", message.header);
      const content = { status: "aborted", execution_count };
      this.sockets.reply("shell", message, { type: "execute_reply", content });
      this.status("idle", message.header);
    }
  }
}

function replyType(request: string): string {
  return request.replace(/_request$/, "_reply");
}
