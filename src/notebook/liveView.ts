import { engineMemory } from "../engine";
import { formatBytes, formatDuration, formatNumber, formatRate } from "../figures/format";
import { dataUrl, escapeHtml } from "./html";
import { chartHeight, liveChart } from "./liveChart";
import { epochTable } from "./liveEpochs";
import { type LiveRecord, type LiveRun, metricsOf } from "./liveRun";
import { Pace } from "./pace";
import type { LiveView } from "./place";
import { aside, bar, container, muted, problemHtml, stateMark } from "./styles";

/** Something that is known of a run, and the width that it may grow to, so that its neighbors stay where they are. */
type Fact = readonly [text: string, width: number];

/** The state of a training run as HTML, whose height stays what it is at the beginning, and as a line of text. */
export class LiveRunView implements LiveView {
  private readonly startedAt = Date.now();
  private readonly records: LiveRecord[];
  private readonly pace = new Pace();
  private state: LiveRun["state"];
  private endedAt: number | undefined;
  private error = "";

  constructor(private readonly run: LiveRun) {
    this.records = [...run.history];
    this.pace.reach(this.latest?.step ?? 0);
    this.state = run.state;
  }

  add(record: LiveRecord): void {
    if (record === this.latest) return;
    // Steps that a run had to make again replace the first ones.
    while (this.records.length > 0 && this.latest!.step >= record.step) this.records.pop();
    this.records.push(record);
    this.pace.reach(record.step);
  }

  end(state: LiveRun["state"], error?: unknown): void {
    this.state = state;
    this.endedAt = Date.now();
    this.error = error === undefined ? "" : error instanceof Error ? error.message : String(error);
  }

  share(): number {
    return Math.min(1, (this.latest?.step ?? 0) / Math.max(1, this.run.totalSteps));
  }

  text(): string {
    const ending =
      this.state === "running" ? [] : [this.state + (this.error ? `: ${this.error.split("\n")[0]}` : "")];
    const { latest } = this;
    const facts = latest
      ? [...this.losses(latest, true), ...this.speed(latest)]
      : [["waiting for the first step", 0] as const];
    const words = [...facts, this.memory()].map(([text]) => text);
    return [`${this.run.name} ${this.stepText()}`, ...words, ...ending].join(" · ");
  }

  html(): string {
    const head = `<span><b>${escapeHtml(this.run.name)}</b>${stateMark(this.state)}</span><span>${this.stepText()}</span>`;
    const { engine = "starting", notes = [] } = this.run;
    const table = epochTable(this.records, this.run.epochs);
    const parts = [
      `<div style="display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 12px">${head}</div>`,
      bar(this.share(), this.state, "margin:5px 0 6px"),
      this.factsHtml(table === ""),
      ...[engine, this.unreadable(), ...notes].filter((line) => line !== undefined).map(aside),
      problemHtml(this.error),
      this.chart(),
      table,
    ];
    return container("luvit-live", this.text(), parts.join(""));
  }

  /** An image, not SVG among the HTML: that is taken out where a page is not trusted. */
  private chart(): string {
    const numbers = (name: string) => this.records.map((record) => record[name]!);
    const [steps, losses, rates] = ["step", "loss", "lr"].map(numbers) as [number[], number[], number[]];
    const svg = liveChart({ steps, losses, rates, lastStep: this.run.totalSteps });
    const now = this.latest ? `at present ${formatNumber(this.latest.loss)}` : "none yet";
    const style = `display:block;width:100%;max-width:100%;height:${chartHeight}px;margin-top:8px`;
    return `<img src="${dataUrl("image/svg+xml", svg)}" alt="loss over steps, ${escapeHtml(now)}" width="100%" height="${chartHeight}" style="${style}">`;
  }

  private get latest(): LiveRecord | undefined {
    return this.records[this.records.length - 1];
  }

  private stepText(): string {
    return `step ${formatNumber(this.latest?.step ?? 0)} of ${formatNumber(this.run.totalSteps)}`;
  }

  private unreadable(): string | undefined {
    const { report } = this.run;
    if (!report || report.count === 0) return undefined;
    return `${String(report).split("\n")[0].replace(/:$/, "")}; run.report names them`;
  }

  /** Each fact in a place of its own; before the first step the places are kept. */
  private factsHtml(withMetrics: boolean): string {
    const { latest } = this;
    const facts = [
      ...(latest
        ? this.losses(latest, withMetrics)
        : ([
            ["loss –", 7],
            ["lr –", 6.5],
          ] as const)),
      ...(latest
        ? this.speed(latest)
        : ([
            ["– images/s", 8],
            ["waiting for the first step", 15],
          ] as const)),
      this.memory(),
    ];
    const cells = facts.map(
      ([text, width]) => `<span style="min-width:${width}em;white-space:nowrap">${escapeHtml(text)}</span>`,
    );
    return `<div style="${muted};display:flex;flex-wrap:wrap;gap:0 1em">${cells.join("")}</div>`;
  }

  private losses(latest: LiveRecord, withMetrics: boolean): Fact[] {
    const metrics = withMetrics ? metricsOf(latest) : [];
    return [
      [`loss ${formatNumber(latest.loss)}`, 7],
      ...metrics.map((name): Fact => [`${name} ${formatNumber(latest[name]!)}`, 7]),
      [`lr ${formatRate(latest.lr)}`, 6.5],
    ];
  }

  private speed(latest: LiveRecord): Fact[] {
    const elapsed = ((this.endedAt ?? Date.now()) - this.startedAt) / 1000;
    const left =
      this.state === "running" ? this.pace.secondsFor(this.run.totalSteps - latest.step) : undefined;
    return [
      [`${formatNumber(Number(latest.imagesPerSecond.toPrecision(3)))} images/s`, 8],
      [`${formatDuration(elapsed)}${left === undefined ? "" : `, ${formatDuration(left)} left`}`, 15],
    ];
  }

  private memory(): Fact {
    return [`memory ${formatBytes(process.memoryUsage.rss() + engineMemory())}`, 8.5];
  }
}
