import { type Content, KernelClient } from "../client";

export interface Stack {
  id: number;
  name: string;
  line: number;
  source: { path: string; name: string };
}

/** A frontend that debugs a kernel. */
export class DebugClient {
  private seq = 0;
  private seen = 0;

  private constructor(readonly kernel: KernelClient) {}

  /** A kernel, and a debugger at it. */
  static async start(): Promise<DebugClient> {
    return DebugClient.at(await KernelClient.start());
  }

  static async at(kernel: KernelClient): Promise<DebugClient> {
    const client = new DebugClient(kernel);
    await client.attach();
    return client;
  }

  async attach(): Promise<Content> {
    const about = { clientID: "tests", adapterID: "luvit", linesStartAt1: true, pathFormat: "path" };
    const { body } = await this.must("initialize", about);
    await this.must("attach");
    await this.must("configurationDone");
    return body;
  }

  /** Sends a request; its answer, whether or not that is a success. */
  async ask(command: string, args: object = {}): Promise<Content> {
    const request = { type: "request", seq: ++this.seq, command, arguments: args };
    const { reply } = await this.kernel.ask("debug_request", request, "control");
    return reply;
  }

  /** The same, where anything but a success is an error. */
  async must(command: string, args: object = {}): Promise<Content> {
    const reply = await this.ask(command, args);
    if (reply.success !== true) throw new Error(`${command}: ${reply.message}`);
    return reply;
  }

  /** Sets the breakpoints of a cell; returns its path. */
  async breakIn(code: string, ...lines: (number | object)[]): Promise<string> {
    const { sourcePath } = (await this.must("dumpCell", { code })).body;
    await this.breakAt(sourcePath, ...lines);
    return sourcePath;
  }

  async breakAt(path: string, ...lines: (number | object)[]): Promise<Content> {
    const breakpoints = lines.map((line) => (typeof line === "number" ? { line } : line));
    return (await this.must("setBreakpoints", { source: { path }, breakpoints })).body.breakpoints;
  }

  /** The events so far. */
  get events(): Content[] {
    const all = this.kernel.iopub.filter(({ header }) => header.msg_type === "debug_event");
    return all.map(({ content }) => content);
  }

  /** The next `stopped` that nobody has waited for yet. */
  async stopped(): Promise<Content> {
    const stops = () => this.events.filter(({ event }) => event === "stopped");
    await this.kernel.until(() => stops().length > this.seen, 20_000, "nothing stopped");
    return stops()[this.seen++].body;
  }

  async stack(): Promise<Stack[]> {
    return (await this.must("stackTrace", { threadId: 1 })).body.stackFrames;
  }

  /** Where it stopped: function and line of each frame. */
  async where(): Promise<string[]> {
    await this.stopped();
    return (await this.stack()).map(({ name, line }) => `${name}:${line}`);
  }

  /** The variables of the uppermost frame, or another, as texts by scope. */
  async variables(frame = 0): Promise<Record<string, Record<string, string>>> {
    const { id } = (await this.stack())[frame]!;
    const { scopes } = (await this.must("scopes", { frameId: id })).body;
    const all: Record<string, Record<string, string>> = {};
    for (const { name, variablesReference } of scopes)
      all[name] = texts(await this.children(variablesReference));
    return all;
  }

  async children(variablesReference: number, more: object = {}): Promise<Content[]> {
    return (await this.must("variables", { variablesReference, ...more })).body.variables;
  }

  async evaluate(expression: string, frame = 0): Promise<Content> {
    const { id } = (await this.stack())[frame]!;
    return this.ask("evaluate", { expression, frameId: id, context: "repl" });
  }

  close(): void {
    this.kernel.close();
  }
}

export function texts(variables: Content[]): Record<string, string> {
  return Object.fromEntries(variables.map(({ name, value }) => [name, value]));
}
