import { metadataOf } from "../../notebook/mime";
import type { MimeBundle } from "../../notebook/nbformat";
import type { DisplayMessage } from "../../notebook/outputs";
import type { CellFailure, CellOutputs } from "../executor/outputs";
import type { Header } from "../protocol/wire";
import type { Link } from "./link";

/** Milliseconds that text waits for more of its stream. */
const flushInterval = 50;

/** Characters that are sent without waiting. */
const flushSize = 1 << 16;

/** Publishes the outputs of one cell, text in pieces of a sensible size, everything in the order it came. */
export class CellPublisher implements CellOutputs {
  /** The cell's value as text. */
  resultText: string | null = null;
  private name: "stdout" | "stderr" = "stdout";
  private text = "";
  private flushedAt = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly link: Link,
    readonly parent: Header,
    private readonly count: number,
  ) {}

  stream(name: "stdout" | "stderr", text: string): void {
    if (name !== this.name) this.flush();
    this.name = name;
    this.text += text;
    const now = Date.now();
    if (this.text.length >= flushSize || now - this.flushedAt >= flushInterval) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), flushInterval).unref();
  }

  display({ data, metadata = {}, transient = {} }: DisplayMessage, update = false): void {
    this.publish(update ? "update_display_data" : "display_data", { data, metadata, transient });
  }

  clear(wait: boolean): void {
    this.publish("clear_output", { wait });
  }

  result(data: MimeBundle): void {
    this.resultText = String(data["text/plain"] ?? "");
    const metadata = metadataOf(data);
    this.publish("execute_result", { data, metadata, execution_count: this.count, transient: {} });
  }

  error(failure: CellFailure): void {
    this.publish("error", failure);
  }

  /** Sends the text that waits. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.flushedAt = Date.now();
    if (this.text === "") return;
    const text = this.text;
    this.text = "";
    this.link.publish("stream", { name: this.name, text }, this.parent);
  }

  private publish(type: string, content: object): void {
    this.flush();
    this.link.publish(type, content, this.parent);
  }
}

/** Takes the outputs of silent cells: nobody sees them. */
export const silence: CellOutputs = {
  hidden: true,
  stream() {},
  display() {},
  clear() {},
  result() {},
  error() {},
};
