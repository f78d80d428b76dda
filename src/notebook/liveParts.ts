import { engineMemory } from "../engine";
import { formatBytes, formatDuration, formatNumber } from "../figures/format";
import { escapeHtml } from "./html";
import { Pace } from "./pace";
import type { LiveView } from "./place";
import { aside, bar, container, muted, problemHtml, stateMark } from "./styles";
import { table } from "./table";

/** A part of a suite of evaluations as seen from outside. */
export interface LivePart {
  /** "in1k", "c/fog/3". */
  readonly key: string;
  /** The set that it is of; parts of the same set share a bar. */
  readonly data: string;
  readonly state: "waiting" | "running" | "done";
  /** Images; undefined until somebody has counted them. */
  readonly total: number | undefined;
  /** Images that are done, and those of them that were before. */
  readonly done: number;
  readonly kept: number;
}

/** One finished number of a suite, with the paper's. */
export interface LiveMetric {
  readonly data: string;
  readonly metric: string;
  /** Percent, or percentage points. */
  readonly value: number;
  readonly images: number;
  readonly paper: { readonly ViT?: number; readonly LUViT?: number };
}

/** A suite of evaluations as seen from outside. */
export interface LiveSuite {
  readonly name: string;
  readonly parts: readonly LivePart[];
  readonly metrics: readonly LiveMetric[];
  readonly engine?: string;
  readonly done: PromiseLike<unknown>;
  readonly state: "running" | "done" | "stopped" | "failed";
  onProgress(listener: () => void): () => void;
}

/** Images of some parts: done, and how many there will be, as far as anybody can tell. */
interface Count {
  readonly done: number;
  readonly total: number;
  /** Some parts have not been counted; they are taken to be as large as those that were. */
  readonly isEstimate: boolean;
}

/** The state of a suite as HTML, a bar for each set and the rows that are finished, and as a line of text. */
export class LiveSuiteView implements LiveView {
  private readonly startedAt = Date.now();
  private readonly pace = new Pace();
  private endedAt: number | undefined;
  private error = "";

  constructor(private readonly suite: LiveSuite) {
    this.progressed();
  }

  /** Something of the suite is done. */
  progressed(): void {
    this.pace.reach(countOf(this.suite.parts).done);
  }

  end(error?: unknown): void {
    this.endedAt = Date.now();
    this.error = error === undefined ? "" : error instanceof Error ? error.message : String(error);
  }

  share(): number {
    const { done, total } = countOf(this.suite.parts);
    return total === 0 ? 0 : Math.min(1, done / total);
  }

  text(): string {
    const { name, state } = this.suite;
    const ending = state === "running" ? "" : state + (this.error ? `: ${this.error.split("\n")[0]}` : "");
    return [`${name} ${this.place()}`, ...this.facts(), ending].filter(Boolean).join(" · ");
  }

  html(): string {
    const { name, state, engine = "starting" } = this.suite;
    const head = `<span><b>${escapeHtml(name)}</b>${stateMark(state)}</span><span>${escapeHtml(this.place())}</span>`;
    const parts = [
      `<div style="display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 12px">${head}</div>`,
      aside(this.facts().join(" · ")),
      aside(engine),
      problemHtml(this.error),
      this.bars(),
      this.rows(),
    ];
    return container("luvit-live", this.text(), parts.join(""));
  }

  /** "c/fog/3, 12 of 101 parts". */
  private place(): string {
    const { parts } = this.suite;
    const finished = parts.filter(({ state }) => state === "done").length;
    const running = parts.find(({ state }) => state === "running");
    const of = `${finished} of ${parts.length} ${parts.length === 1 ? "part" : "parts"}`;
    return running ? `${running.key}, ${of}` : of;
  }

  private facts(): string[] {
    const { parts, state } = this.suite;
    const { done, total, isEstimate } = countOf(parts);
    const elapsed = ((this.endedAt ?? Date.now()) - this.startedAt) / 1000;
    const fresh = done - parts.reduce((sum, { kept }) => sum + kept, 0);
    const rate = fresh / elapsed;
    const seconds = state === "running" ? this.pace.secondsFor(total - done) : undefined;
    const left = seconds === undefined ? "" : `, ${formatDuration(seconds)} left`;
    if (total === 0) return ["opening model and images", formatDuration(elapsed)];
    return [
      `${formatNumber(done)} of ${isEstimate ? "about " : ""}${formatNumber(total)} images`,
      done > fresh ? `${formatNumber(done - fresh)} were answered before` : "",
      fresh > 0 && elapsed > 0 ? `${formatNumber(Number(rate.toPrecision(3)))}/s` : "",
      `${formatDuration(elapsed)}${left}`,
      `memory ${formatBytes(process.memoryUsage.rss() + engineMemory())}`,
    ].filter(Boolean);
  }

  private bars(): string {
    const sets = [...new Set(this.suite.parts.map(({ data }) => data))];
    const rows = sets.map((data) =>
      setBar(
        data,
        this.suite.parts.filter((part) => part.data === data),
      ),
    );
    const grid =
      "display:grid;grid-template-columns:minmax(90px,auto) 1fr auto;gap:3px 10px;align-items:center;margin:8px 0";
    return `<div style="${grid}">${rows.join("")}</div>`;
  }

  private rows(): string {
    const records = this.suite.metrics.map(({ data, metric, value, images, paper }) => ({
      data,
      metric,
      "%": Number(value.toFixed(1)),
      images: images,
      "paper: ViT": paper.ViT,
      "paper: LUViT": paper.LUViT,
    }));
    return records.length === 0 ? "" : table(records).toHtml();
  }
}

function setBar(data: string, parts: readonly LivePart[]): string {
  const { done, total, isEstimate } = countOf(parts);
  const finished = parts.every(({ state }) => state === "done");
  const isOpen = parts.some(({ state }) => state !== "waiting");
  const share = finished ? 1 : total === 0 ? 0 : done / total;
  const of =
    parts.length === 1
      ? ""
      : ` · ${parts.filter(({ state }) => state === "done").length} of ${parts.length} parts`;
  const text = isOpen
    ? `${formatNumber(done)} of ${isEstimate ? "about " : ""}${formatNumber(total)}${of}`
    : "waiting";
  return (
    `<span>${escapeHtml(data)}</span>` +
    bar(share, finished ? "done" : "running") +
    `<span style="${muted};text-align:right">${escapeHtml(text)}</span>`
  );
}

function countOf(parts: readonly LivePart[]): Count {
  const counted = parts.filter(({ total }) => total !== undefined);
  const known = counted.reduce((sum, { total }) => sum + total!, 0);
  const done = parts.reduce((sum, part) => sum + part.done, 0);
  const others = parts.length - counted.length;
  // Parts of one set are of a size; what nobody has opened yet is taken to be like the rest of its set, or of them all.
  const guess = parts
    .filter(({ total }) => total === undefined)
    .reduce(
      (sum, { data }) =>
        sum + (meanTotal(counted.filter((part) => part.data === data)) ?? meanTotal(counted) ?? 0),
      0,
    );
  return { done, total: known + Math.round(guess), isEstimate: others > 0 };
}

function meanTotal(parts: readonly LivePart[]): number | undefined {
  if (parts.length === 0) return undefined;
  return parts.reduce((sum, { total }) => sum + total!, 0) / parts.length;
}
