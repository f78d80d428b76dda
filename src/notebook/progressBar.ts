import { formatDuration, formatNumber } from "../figures/format";
import { escapeHtml } from "./html";
import { Pace } from "./pace";
import { bar, type State } from "./styles";

/** What a bar counts. */
export interface Counted {
  readonly label: string;
  /** Undefined when nobody knows. */
  readonly total: number | undefined;
  /** What had passed before; default 0. */
  readonly kept?: number;
  /** Bytes are written as MB; everything else is counted. */
  readonly unit?: "images" | "bytes";
}

/** One bar: how much has passed, how fast, how long the rest will take. */
export class ProgressBar {
  state: State = "running";
  private count: number;
  private seconds = 0;
  private problem = "";
  private readonly kept: number;
  private readonly startedAt: number;
  private readonly pace: Pace;

  constructor(
    private readonly counted: Counted,
    private readonly now: () => number = Date.now,
  ) {
    this.kept = counted.kept ?? 0;
    this.count = this.kept;
    this.startedAt = now();
    this.pace = new Pace(now);
    this.pace.reach(this.count);
  }

  advance(): void {
    this.reach(this.count + 1);
  }

  /** So much has passed, what had before among it. */
  reach(count: number): void {
    this.count = count;
    this.pace.reach(count);
  }

  end(state: State, error?: unknown): void {
    this.seconds = this.elapsed();
    this.state = state;
    this.problem =
      error === undefined ? "" : (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
  }

  /** 0 to 1; undefined when nobody knows. */
  share(): number | undefined {
    const { total } = this.counted;
    if (this.state === "done") return 1;
    return total === undefined ? undefined : Math.min(1, this.count / Math.max(1, total));
  }

  text(): string {
    const { label, total, unit } = this.counted;
    const isBytes = unit === "bytes";
    const amount = isBytes ? megabytes : formatNumber;
    const seconds = this.elapsed();
    const fresh = this.count - this.kept;
    const left =
      this.state === "running" && total !== undefined ? this.pace.secondsFor(total - this.count) : undefined;
    const of = total === undefined ? "" : ` of ${amount(total)}`;
    const parts = [
      `${label} ${amount(this.count)}${of}${isBytes ? " MB" : ""}`,
      isBytes && this.kept > 0 ? `${megabytes(this.kept)} MB were here` : "",
      fresh > 0 && seconds > 0
        ? isBytes
          ? `${megabytes(fresh / seconds)} MB/s`
          : rateText(fresh / seconds)
        : "",
      formatDuration(seconds),
      left === undefined ? "" : `${formatDuration(left)} left`,
      this.ending(),
    ];
    return parts.filter(Boolean).join(" · ");
  }

  html(): string {
    const share = this.share() ?? (this.state === "running" ? 0 : 1);
    return `<div style="margin:2px 0 6px">${escapeHtml(this.text())}${bar(share, this.state, "margin-top:4px")}</div>`;
  }

  private ending(): string {
    if (this.state === "running" || this.state === "done") return "";
    const word =
      this.state === "stopped" && this.counted.unit === "bytes"
        ? "stopped; what has come is kept"
        : this.state;
    return this.problem === "" ? word : `${word}: ${this.problem}`;
  }

  private elapsed(): number {
    return this.state === "running" ? (this.now() - this.startedAt) / 1000 : this.seconds;
  }
}

/** Items a second, or seconds an item where that says more. */
function rateText(rate: number): string {
  const three = (value: number) => formatNumber(Number(value.toPrecision(3)));
  return rate >= 0.5 ? `${three(rate)}/s` : `${three(1 / rate)} s each`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
