import { formatBar, formatDuration } from "../figures/format";

/** Milliseconds between two drawings: on a terminal, and in a file. */
const pauses = { terminal: 200, file: 10000 };

/** A bar with a text behind it: one line of a terminal that is drawn again, or plain lines now and then. */
export class ProgressLine {
  private readonly startedAt = Date.now();
  private drawnAt = 0;
  private shown = "";

  constructor(
    private readonly label: string,
    private readonly stream: NodeJS.WriteStream = process.stdout,
  ) {}

  update(done: number, total: number, text: string): void {
    const now = Date.now();
    this.shown = `${this.label} ${formatBar(total === 0 ? 1 : done / total)} ${text} · ${formatDuration((now - this.startedAt) / 1000)}`;
    if (now - this.drawnAt < (this.stream.isTTY ? pauses.terminal : pauses.file)) return;
    this.drawnAt = now;
    this.draw();
  }

  /** Draws what was said last. */
  finish(): void {
    if (this.shown === "") return;
    this.draw();
    if (this.stream.isTTY) this.stream.write("\n");
    this.shown = "";
  }

  private draw(): void {
    const width = (this.stream.columns ?? 200) - 1;
    const line = this.shown.slice(0, width);
    this.stream.write(this.stream.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
  }
}
