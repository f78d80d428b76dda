import { printableLines } from "../core/printable";
import { formatDuration } from "../figures/format";
import { stripAnsi } from "./html";

/** Where progress lines go. */
export interface TerminalStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const secondsBetweenPlainLines = 10;

/** Progress of a run: one line per cell; the running cell's last line behind it (TTY) or below it now and then. */
export class RunTerminal {
  private prefix = "";
  private startedAt = 0;
  private lastDraw = 0;

  constructor(
    private readonly stream: TerminalStream,
    private readonly total: number,
  ) {}

  /** A line of its own; its colors only where there is a terminal to show them. */
  say(line: string): void {
    this.stream.write(this.stream.isTTY ? `\r\x1b[K${line}\n` : `${stripAnsi(line)}\n`);
  }

  startCell(index: number, title: string): void {
    const width = String(this.total).length;
    this.prefix = `[${String(index).padStart(width)}/${this.total}] ${printableLines(title)}`;
    this.startedAt = Date.now();
    this.lastDraw = this.startedAt;
    if (this.stream.isTTY) this.stream.write(`\r\x1b[K${this.clip(`${this.prefix} …`)}`);
  }

  /** Shows what the running cell says; at most ten times a second on a TTY, every ten seconds otherwise. */
  note(line: string): void {
    const now = Date.now();
    const wait = this.stream.isTTY ? 100 : secondsBetweenPlainLines * 1000;
    if (now - this.lastDraw < wait) return;
    this.lastDraw = now;
    const text = printableLines(stripAnsi(line).trim());
    const seconds = formatDuration((now - this.startedAt) / 1000);
    if (this.stream.isTTY) this.stream.write(`\r\x1b[K${this.clip(`${this.prefix} … ${seconds}  ${text}`)}`);
    else this.stream.write(`${this.clip(`${this.prefix} … ${seconds}  ${text}`)}\n`);
  }

  endCell(status: string, seconds: number): void {
    const end = status === "ok" ? "" : `  ${status}`;
    this.say(`${this.prefix} …  ${formatDuration(seconds)}${end}`);
  }

  private clip(text: string): string {
    const width = (this.stream.columns ?? 160) - 1;
    return text.length > width ? `${text.slice(0, width - 1)}…` : text;
  }
}
