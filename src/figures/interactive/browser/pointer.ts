import { make } from "../../browser/dom";
import { type Mark, markAt, wordsOf } from "./marks";

/** What a plot's reader points at, by hand or by keys, in words beside it. */
export class Pointer {
  private readonly tip = make("div", { class: "tip", role: "status" });
  private readonly ring = make("div", { class: "ring" });
  private marks: readonly Mark[] = [];
  private width = 0;
  private current: Mark | undefined;

  get elements(): HTMLElement[] {
    return [this.ring, this.tip];
  }

  /** The drawing has changed. */
  take(marks: readonly Mark[], width: number): void {
    this.marks = marks;
    this.width = width;
    this.show(undefined);
  }

  /** Points at what is nearest to a place; nothing when it is far. */
  at(x: number, y: number): void {
    this.show(markAt(this.marks, x, y));
  }

  hide(): void {
    this.show(undefined);
  }

  /** Goes to the next or the previous mark; past the ends stays. */
  step(by: number): void {
    const place = this.current ? this.marks.indexOf(this.current) : -1;
    this.show(this.marks[place + by] ?? this.current);
  }

  /** Goes to the mark of the next or the previous trace that is nearest from left to right. */
  acrossTraces(by: number): void {
    const { current } = this;
    if (!current) {
      this.step(1);
      return;
    }
    const traces = [...new Set(this.marks.map(({ trace }) => trace))];
    const next = traces[traces.indexOf(current.trace) + by];
    const own = this.marks.filter(({ trace }) => trace === next);
    const distance = (mark: Mark) => Math.abs(mark.x - current.x);
    this.show(own.reduce((best, mark) => (distance(mark) < distance(best) ? mark : best), own[0] ?? current));
  }

  private show(mark: Mark | undefined): void {
    this.current = mark;
    this.tip.hidden = mark === undefined;
    this.ring.hidden = mark === undefined;
    if (!mark) return;
    const lines = wordsOf(mark).map((line, index, all) =>
      make("div", {}, index === 0 && all.length > 1 ? make("b", {}, line) : line),
    );
    this.tip.replaceChildren(...lines);
    const isRight = mark.x > this.width / 2;
    place(this.tip, {
      left: isRight ? "auto" : `${mark.x + 13}px`,
      right: isRight ? `${this.width - mark.x + 13}px` : "auto",
      top: `${Math.max(2, mark.y - 14)}px`,
      "border-left": `3px solid ${mark.color}`,
    });
    place(this.ring, { left: `${mark.x}px`, top: `${mark.y}px` });
  }
}

/** Sets properties of an element's own style. */
export function place(element: HTMLElement, properties: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(properties)) element.style.setProperty(name, value);
}
