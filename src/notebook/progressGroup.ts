import { type LivePlace, type LiveView, openPlace } from "./place";
import type { ProgressBar } from "./progressBar";
import { container, type State } from "./styles";
import { displayOwner } from "./tslab";

/** The group that takes the next bar of each cell; bars that nobody ends keep theirs from growing into other cells. */
const open = new Map<unknown, ProgressGroup>();

/** Bars of loops within loops: they share one display, in which an inner bar that is done makes room for the next. */
export class ProgressGroup implements LiveView {
  private bars: ProgressBar[] = [];
  private readonly place: LivePlace;

  private constructor(private readonly owner: unknown) {
    this.place = openPlace(this);
  }

  /** Shows a bar: within the group that is open in this cell, else in one of its own. */
  static show(bar: ProgressBar): ProgressGroup {
    const owner = displayOwner();
    let group = open.get(owner);
    if (!group) {
      open.clear();
      group = new ProgressGroup(owner);
      open.set(owner, group);
    }
    group.add(bar);
    return group;
  }

  advance(bar: ProgressBar): void {
    bar.advance();
    this.place.update();
  }

  end(bar: ProgressBar, state: State, error?: unknown): void {
    bar.end(state, error);
    if (this.bars.some(({ state: of }) => of === "running")) {
      this.place.update();
      return;
    }
    // What is done inside a loop that is done says nothing more than the loop itself.
    this.bars = this.bars.filter((one, index) => index === 0 || one.state !== "done");
    if (open.get(this.owner) === this) open.delete(this.owner);
    this.place.finish();
  }

  share(): number | undefined {
    return this.bars[0]?.share();
  }

  text(): string {
    return progressText(this.bars);
  }

  html(): string {
    return progressHtml(this.bars);
  }

  private add(bar: ProgressBar): void {
    this.bars = [...this.bars.filter(({ state }) => state === "running"), bar];
    this.place.update();
  }
}

function progressText(bars: readonly ProgressBar[]): string {
  return bars.map((bar) => bar.text()).join(" | ");
}

/** Bars below each other, those of inner loops indented. */
export function progressHtml(bars: readonly ProgressBar[]): string {
  const rows = bars.map((bar, depth) => `<div style="margin-left:${depth * 14}px">${bar.html()}</div>`);
  return container("luvit-progress", progressText(bars), rows.join(""));
}
