import { randomUUID } from "node:crypto";
import { printableLines } from "../core/printable";
import { formatBar } from "../figures/format";
import { inNotebook, sendDisplay } from "./tslab";

/** A place that is written again and again: one display of a notebook, or a line of the terminal. */
export interface LivePlace {
  /** Shows the present state; calls in quick succession are dropped except the last. */
  update(): void;
  /** Shows the final state at once. */
  finish(): void;
}

/** What a place shows. */
export interface LiveView {
  /** For notebooks. */
  html(): string;
  /** One line for terminals. */
  text(): string;
  /** Share done, 0 to 1; undefined when unknown. */
  share(): number | undefined;
}

/** Least time between two updates: five a second. */
export const updateInterval = 200;

/** Most time between two plain lines. */
const plainInterval = 60_000;

/** Opens a place for a view: a notebook display, else a terminal line, else plain lines every ten percent or minute. */
export function openPlace(view: LiveView): LivePlace {
  return throttle(
    inNotebook() ? notebookWriter(view) : process.stdout.isTTY ? lineWriter(view) : plainWriter(view),
  );
}

type Writer = (final: boolean) => void;

function notebookWriter(view: LiveView): Writer {
  const id = randomUUID();
  let shown = false;
  return () => {
    sendDisplay({ "text/html": view.html(), "text/plain": view.text() }, id, shown);
    shown = true;
  };
}

function lineWriter(view: LiveView): Writer {
  return (final) => {
    const share = view.share();
    const bar = share === undefined ? "" : `${formatBar(share)} `;
    const line = printableLines(bar + view.text()).slice(0, (process.stdout.columns ?? 120) - 1);
    process.stdout.write(`\r\x1b[K${line}${final ? "\n" : ""}`);
  };
}

function plainWriter(view: LiveView): Writer {
  let written = -1;
  let writtenAt = 0;
  return (final) => {
    const tenth = Math.floor((view.share() ?? 0) * 10);
    if (!final && tenth <= written && Date.now() - writtenAt < plainInterval) return;
    written = tenth;
    writtenAt = Date.now();
    process.stdout.write(`${printableLines(view.text())}\n`);
  };
}

function throttle(write: Writer): LivePlace {
  let last = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let finished = false;
  const draw = (final: boolean) => {
    clearTimeout(timer);
    timer = undefined;
    last = Date.now();
    write(final);
  };
  return {
    update() {
      if (finished || timer) return;
      const wait = last + updateInterval - Date.now();
      if (wait <= 0) draw(false);
      else timer = setTimeout(() => draw(false), wait).unref();
    },
    finish() {
      if (finished) return;
      finished = true;
      draw(true);
    },
  };
}
