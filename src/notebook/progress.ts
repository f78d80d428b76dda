import { formatDuration, formatNumber } from "../figures/format";
import { escapeHtml } from "./html";
import { type LivePlace, type LiveView, openPlace } from "./place";

/** What a progress bar says. */
export interface ProgressOptions {
  /** How many items there will be; default the length or size of the iterable, if it has one. */
  total?: number;
  /** What is going on. */
  label?: string;
}

/** Passes an iterable's items on and shows how far it is: `for (const image of progress(images)) …`. */
export function progress<T>(items: Iterable<T>, options?: ProgressOptions): Generator<T, void, undefined>;
/** Passes the items of an async iterable on and shows how far it is. */
export function progress<T>(
  items: AsyncIterable<T>,
  options?: ProgressOptions,
): AsyncGenerator<T, void, undefined>;
export function progress<T>(
  items: Iterable<T> | AsyncIterable<T>,
  options: ProgressOptions = {},
): Generator<T, void, undefined> | AsyncGenerator<T, void, undefined> {
  const view = new ProgressView(options.label ?? "progress", options.total ?? lengthOf(items));
  return Symbol.asyncIterator in items ? passAsync(items, view) : passSync(items, view);
}

function* passSync<T>(items: Iterable<T>, view: ProgressView): Generator<T, void, undefined> {
  const place = openPlace(view);
  try {
    for (const item of items) {
      yield item;
      view.advance(place);
    }
    view.complete = true;
  } finally {
    view.end(place);
  }
}

async function* passAsync<T>(
  items: AsyncIterable<T>,
  view: ProgressView,
): AsyncGenerator<T, void, undefined> {
  const place = openPlace(view);
  try {
    for await (const item of items) {
      yield item;
      view.advance(place);
    }
    view.complete = true;
  } finally {
    view.end(place);
  }
}

class ProgressView implements LiveView {
  complete = false;
  private count = 0;
  private ended = false;
  private readonly startedAt = Date.now();

  constructor(
    private readonly label: string,
    private readonly total: number | undefined,
  ) {}

  advance(place: LivePlace): void {
    this.count++;
    place.update();
  }

  end(place: LivePlace): void {
    this.ended = true;
    place.finish();
  }

  share(): number | undefined {
    if (this.complete) return 1;
    return this.total === undefined ? undefined : Math.min(1, this.count / Math.max(1, this.total));
  }

  text(): string {
    const seconds = (Date.now() - this.startedAt) / 1000;
    const of = this.total === undefined ? "" : ` of ${formatNumber(this.total)}`;
    const rate = seconds > 0 ? `${formatNumber(Number((this.count / seconds).toPrecision(3)))}/s` : "";
    const left =
      this.total !== undefined && this.count > 0 && !this.ended
        ? `${formatDuration((seconds / this.count) * (this.total - this.count))} left`
        : "";
    const state = this.ended && !this.complete ? "stopped" : "";
    return [`${this.label} ${formatNumber(this.count)}${of}`, rate, formatDuration(seconds), left, state]
      .filter(Boolean)
      .join(" · ");
  }

  html(): string {
    const color = !this.ended ? "#2b7bba" : this.complete ? "#1a9e76" : "#d0404f";
    const width = (100 * (this.share() ?? (this.ended ? 1 : 0))).toFixed(1);
    const text = escapeHtml(this.text());
    return (
      `<div class="luvit-progress" role="group" aria-label="${text}" style="max-width:720px;font:13px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums">` +
      `${text}<div style="height:5px;border-radius:3px;background:rgba(128,128,128,.25);margin-top:4px;overflow:hidden">` +
      `<div style="height:100%;width:${width}%;background:${color}"></div></div></div>`
    );
  }
}

function lengthOf(items: object): number | undefined {
  const { length, size } = items as { length?: unknown; size?: unknown };
  return typeof length === "number" ? length : typeof size === "number" ? size : undefined;
}
