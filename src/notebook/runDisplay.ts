import { formatNumber } from "../figures/format";
import { Run } from "../train";
import type { LiveRun } from "./liveRun";
import type { MimeBundle } from "./nbformat";
import { aside, container } from "./styles";
import { jupyterDisplay } from "./symbols";

const followed = new WeakSet<object>();

/** Remembers that a run has a live display. */
export function noteFollowed(run: LiveRun): void {
  followed.add(run);
}

/** A run as a value: all about it, or where a live display shows that already, what it led to and where it lies. */
function runBundle(run: Run<never>): MimeBundle {
  const text = followed.has(run) ? resultLine(run) : String(run);
  return { "text/plain": text, "text/html": container("luvit-run", "", aside(text)) };
}

function resultLine({ name, state, history, checkpoint, out }: Run<never>): string {
  if (state === "running") return `${name} goes on; its display is above`;
  const [first, last] = [history[0], history[history.length - 1]];
  const place = checkpoint ?? out;
  const parts = [
    first && last ? `loss ${formatNumber(first.loss)} → ${formatNumber(last.loss)}` : "no step was made",
    place === undefined ? "nothing is saved" : `saved in ${place}`,
  ];
  return `${name}: ${parts.join(", ")}`;
}

Object.defineProperty(Run.prototype, jupyterDisplay, {
  value(this: Run<never>) {
    return runBundle(this);
  },
  configurable: true,
  writable: true,
});
