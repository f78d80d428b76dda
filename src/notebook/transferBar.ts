import { showTransfersWith, type Transfer, type TransferView } from "../core/transfers";
import { formatDuration } from "../figures/format";
import { escapeHtml } from "./html";
import { type LiveView, openPlace } from "./place";

type State = "running" | "done" | "stopped";

const colors: Record<State, string> = { running: "#2b7bba", done: "#1a9e76", stopped: "#d0404f" };

/** A download: bytes, rate, time left. */
export class TransferBar implements LiveView {
  state: State = "running";
  received = 0;
  private endedAt: number | undefined;
  private readonly startedAt: number;

  constructor(
    private readonly transfer: Transfer,
    private readonly now: () => number = Date.now,
  ) {
    this.startedAt = now();
  }

  end(state: State): void {
    this.state = state;
    this.endedAt = this.now();
  }

  share(): number {
    const { kept, total } = this.transfer;
    return Math.min(1, (kept + this.received) / Math.max(1, total));
  }

  text(): string {
    const { label, kept, total } = this.transfer;
    const seconds = ((this.endedAt ?? this.now()) - this.startedAt) / 1000;
    const rate = this.received / Math.max(seconds, 1e-3);
    const left = (total - kept - this.received) / rate;
    return [
      `${label} ${megabytes(kept + this.received)} of ${megabytes(total)} MB`,
      kept > 0 ? `${megabytes(kept)} MB were here` : "",
      this.received > 0 ? `${megabytes(rate)} MB/s` : "",
      formatDuration(seconds),
      this.state === "running" && this.received > 0 ? `${formatDuration(left)} left` : "",
      this.state === "stopped" ? "stopped; what has come is kept" : "",
    ]
      .filter(Boolean)
      .join(" · ");
  }

  html(): string {
    const text = escapeHtml(this.text());
    const width = (100 * this.share()).toFixed(1);
    return (
      `<div class="luvit-transfer" role="group" aria-label="${text}" style="max-width:720px;font:13px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums">` +
      `${text}<div style="height:5px;border-radius:3px;background:rgba(128,128,128,.25);margin-top:4px;overflow:hidden">` +
      `<div style="height:100%;width:${width}%;background:${colors[this.state]}"></div></div></div>`
    );
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

/** A bar where the cell, or the terminal, is. */
function showTransfer(transfer: Transfer): TransferView {
  const bar = new TransferBar(transfer);
  const place = openPlace(bar);
  return {
    advance: (received) => {
      bar.received = received;
      place.update();
    },
    end: (complete) => {
      bar.end(complete ? "done" : "stopped");
      place.finish();
    },
  };
}

showTransfersWith(showTransfer);
