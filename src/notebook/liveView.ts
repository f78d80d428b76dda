import { engineMemory } from "../engine";
import { formatBytes, formatDuration, formatNumber } from "../figures/format";
import { dataUrl, escapeHtml } from "./html";
import type { LiveRecord, LiveRun } from "./live";
import { liveChart } from "./liveChart";
import type { LiveView } from "./place";
import { table } from "./table";

const mostEpochRows = 10;
const ownColumns = ["step", "epoch", "loss", "lr", "imagesPerSecond"];
const barColors = { running: "#2b7bba", done: "#1a9e76", stopped: "#d0404f", failed: "#d0404f" };

/** The state of a training run as HTML and as a line of text. */
export class LiveRunView implements LiveView {
  private readonly startedAt = Date.now();
  private readonly records: LiveRecord[];
  private readonly firstStep: number;
  private state: LiveRun["state"];
  private endedAt: number | undefined;
  private error = "";

  constructor(private readonly run: LiveRun) {
    this.records = [...run.history];
    this.firstStep = this.latest?.step ?? 0;
    this.state = run.state;
  }

  add(record: LiveRecord): void {
    if (record === this.latest) return;
    // Steps that a run had to make again replace the first ones.
    while (this.records.length > 0 && this.latest!.step >= record.step) this.records.pop();
    this.records.push(record);
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
    return [`${this.run.name} ${this.stepText()}`, ...this.facts(), ...ending].join(" · ");
  }

  html(): string {
    const state =
      this.state === "running" ? "" : ` <b style="color:${barColors[this.state]}">${this.state}</b>`;
    const parts = [
      `<div style="display:flex;justify-content:space-between;gap:12px"><span><b>${escapeHtml(this.run.name)}</b>${state}</span><span>${this.stepText()}</span></div>`,
      this.bar(),
      `<div style="opacity:.72">${this.facts().map(escapeHtml).join(" · ")}</div>`,
      ...[this.run.engine, this.unreadable(), ...(this.run.notes ?? [])]
        .filter((line) => line !== undefined)
        .map((line) => `<div style="opacity:.72">${escapeHtml(line)}</div>`),
      this.error
        ? `<div style="color:${barColors.failed};white-space:pre-wrap;margin-top:4px">${escapeHtml(this.error)}</div>`
        : "",
      this.chart(),
      this.epochTable(),
    ];
    const style = "max-width:720px;font:13px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums";
    return `<div class="luvit-live" role="group" aria-label="${escapeHtml(this.text())}" style="${style}">${parts.join("")}</div>`;
  }

  /** An image, not SVG among the HTML: that is taken out where a page is not trusted. */
  private chart(): string {
    const numbers = (name: string) => this.records.map((record) => record[name]!);
    const [steps, losses, rates] = ["step", "loss", "lr"].map(numbers) as [number[], number[], number[]];
    const svg = liveChart({ steps, losses, rates, lastStep: this.run.totalSteps });
    if (svg === "") return "";
    const alt = `loss over steps, at present ${formatNumber(losses[losses.length - 1]!)}`;
    return `<img src="${dataUrl("image/svg+xml", svg)}" alt="${alt}" style="display:block;max-width:100%;height:auto;margin-top:8px">`;
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

  private bar(): string {
    const width = (100 * this.share()).toFixed(1);
    return (
      '<div style="height:6px;border-radius:3px;background:rgba(128,128,128,.25);margin:5px 0 6px;overflow:hidden">' +
      `<div style="height:100%;width:${width}%;background:${barColors[this.state]}"></div></div>`
    );
  }

  private facts(): string[] {
    const { latest } = this;
    const elapsed = ((this.endedAt ?? Date.now()) - this.startedAt) / 1000;
    const memory = `memory ${formatBytes(process.memoryUsage.rss() + engineMemory())}`;
    if (!latest) return ["waiting for the first step", memory];
    const metrics = Object.keys(latest).filter((name) => !ownColumns.includes(name));
    const left = this.state === "running" ? this.secondsLeft(elapsed) : undefined;
    return [
      `loss ${formatNumber(latest.loss)}`,
      ...metrics.map((name) => `${name} ${formatNumber(latest[name]!)}`),
      `lr ${formatNumber(latest.lr)}`,
      `${formatNumber(Number(latest.imagesPerSecond.toPrecision(3)))} images/s`,
      `${formatDuration(elapsed)}${left === undefined ? "" : `, ${formatDuration(left)} left`}`,
      memory,
    ];
  }

  private secondsLeft(elapsed: number): number | undefined {
    const done = (this.latest?.step ?? 0) - this.firstStep;
    return done > 0 ? (elapsed / done) * Math.max(0, this.run.totalSteps - this.latest!.step) : undefined;
  }

  private epochTable(): string {
    const epochs = new Map<number, LiveRecord[]>();
    for (const record of this.records) {
      const epoch = Math.floor(record.epoch);
      epochs.set(epoch, [...(epochs.get(epoch) ?? []), record]);
    }
    const rows = [...epochs].map(([epoch, records]) => epochRow(epoch, records));
    if (rows.length < 2) return "";
    const left = rows.length - mostEpochRows;
    const more =
      left > 0 ? `<div style="opacity:.72">… ${left} earlier ${left === 1 ? "epoch" : "epochs"}</div>` : "";
    return more + table(rows.slice(-mostEpochRows)).toHtml();
  }
}

/** Mean loss of an epoch and the last value of every other number. */
function epochRow(epoch: number, records: readonly LiveRecord[]): Record<string, number> {
  const row: Record<string, number> = {
    epoch: epoch + 1,
    "mean loss": records.reduce((sum, record) => sum + record.loss, 0) / records.length,
  };
  for (const record of records) {
    for (const [name, value] of Object.entries(record)) if (!ownColumns.includes(name)) row[name] = value;
  }
  return { ...row, lr: records[records.length - 1]!.lr };
}
