import { formatDuration, formatNumber } from "../figures/format";
import { escapeHtml } from "./html";

/** Whether it goes on, and how it ended. */
export type ProgressState = "running" | "done" | "stopped" | "failed";

const colors = { running: "#2b7bba", done: "#1a9e76", stopped: "#d0404f", failed: "#d0404f" };

/** One bar: how many items have passed, how fast, how long it will take. */
export class ProgressBar {
  state: ProgressState = "running";
  private count: number;
  private seconds = 0;
  private problem = "";
  private readonly startedAt = Date.now();

  constructor(
    private readonly label: string,
    private readonly total: number | undefined,
    /** Items that had passed before. */
    private readonly kept = 0,
  ) {
    this.count = kept;
  }

  advance(): void {
    this.count++;
  }

  /** So many items have passed, those before among them. */
  reach(count: number): void {
    this.count = count;
  }

  end(state: ProgressState, error?: unknown): void {
    this.seconds = this.elapsed();
    this.state = state;
    this.problem =
      error === undefined ? "" : (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
  }

  /** 0 to 1; undefined when nobody knows. */
  share(): number | undefined {
    if (this.state === "done") return 1;
    return this.total === undefined ? undefined : Math.min(1, this.count / Math.max(1, this.total));
  }

  text(): string {
    const seconds = this.elapsed();
    const of = this.total === undefined ? "" : ` of ${formatNumber(this.total)}`;
    const fresh = this.count - this.kept;
    const rate = fresh > 0 && seconds > 0 ? rateText(fresh / seconds) : "";
    const isOpen = this.state === "running" && this.total !== undefined && fresh > 0;
    const left = isOpen
      ? `${formatDuration((seconds / fresh) * Math.max(0, this.total! - this.count))} left`
      : "";
    const bad = this.state === "stopped" || this.state === "failed" ? this.state : "";
    const ending = this.problem ? `${bad}: ${this.problem}` : bad;
    return [`${this.label} ${formatNumber(this.count)}${of}`, rate, formatDuration(seconds), left, ending]
      .filter(Boolean)
      .join(" · ");
  }

  html(): string {
    const share = this.share() ?? (this.state === "running" ? 0 : 1);
    const text = escapeHtml(this.text());
    return (
      `<div style="margin:2px 0 6px">${text}` +
      '<div style="height:5px;border-radius:3px;background:rgba(128,128,128,.25);margin-top:4px;overflow:hidden">' +
      `<div style="height:100%;width:${(100 * share).toFixed(1)}%;background:${colors[this.state]}"></div></div></div>`
    );
  }

  private elapsed(): number {
    return this.state === "running" ? (Date.now() - this.startedAt) / 1000 : this.seconds;
  }
}

/** Items a second, or seconds an item where that says more. */
function rateText(rate: number): string {
  const three = (value: number) => formatNumber(Number(value.toPrecision(3)));
  return rate >= 0.5 ? `${three(rate)}/s` : `${three(1 / rate)} s each`;
}
