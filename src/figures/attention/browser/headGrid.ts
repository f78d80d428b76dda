import { make, makeCanvas } from "../../browser/dom";
import { segments } from "./controls";
import type { Evidence, Head, HeadColor } from "./evidence";
import { type ColorTable, type ColorTables, colorAt, paintBar } from "./paint";
import type { ModelHeader } from "./payload";
import { headName, layerLabel } from "./state";

export interface HeadGridEvents {
  /** A head is pointed at or has the focus; undefined when none is. */
  look(head: Head | undefined): void;
  /** A head is pressed. */
  press(head: Head): void;
  color(color: HeadColor): void;
}

interface HeadGridParts {
  readonly evidence: Evidence;
  /** Names of the classes that can be chosen. */
  readonly labels: readonly string[];
  readonly tables: ColorTables;
  /** Whether several heads can be off at once. */
  readonly takesSeveral: boolean;
}

interface Cell extends Head {
  readonly button: HTMLElement;
}

const colors: readonly [HeadColor, string, string][] = [
  ["effect", "effect", "What the chosen class loses without the head"],
  ["entropy", "entropy", "Mean entropy of the head's attention"],
  ["distance", "distance", "How far the head looks, mean over the patches"],
];

/** What a number of a head is, with its unit. */
export function headValue(color: HeadColor, value: number): string {
  if (color === "entropy") return `${value.toFixed(2)}\u00a0nats`;
  if (color === "distance") return `${value.toFixed(1)}\u00a0patches`;
  const size = Math.abs(value);
  return `${value < 0 ? "−" : "+"}${size >= 0.1 || size === 0 ? size.toFixed(2) : size.toPrecision(2)}\u00a0nats`;
}

/** All heads by layers, a square each: pointing at one shows its map, pressing it switches it off where that is known. */
export class HeadGrid {
  readonly element: HTMLElement;
  private readonly cells: Cell[];
  private readonly choice: { element: HTMLElement; update(value: string): void };
  private readonly bar = makeCanvas(256, 1, { class: "bar", "aria-hidden": "true" });
  private readonly what = make("p", { class: "caption" });
  private readonly ends = { low: make("span"), high: make("span") };
  private focused = 0;
  private shown = "";

  constructor(
    private readonly model: ModelHeader,
    private readonly parts: HeadGridParts,
    private readonly events: HeadGridEvents,
  ) {
    const { evidence } = parts;
    const known = colors.filter(([color]) =>
      evidence.has(color === "effect" ? "heads.answer" : "heads.entropy"),
    );
    this.choice = segments("Heads by", known, (color) => events.color(color as HeadColor));
    this.cells = model.stages.flatMap(({ name: layer, heads }) =>
      Array.from({ length: heads }, (_, head) => this.cell({ layer, head })),
    );
    const label = `Heads of ${model.title} by layers. Arrow keys move, ${this.pressing}.`;
    const grid = make("div", { class: "head-grid", role: "group", "aria-label": label });
    grid.append(...model.stages.flatMap(({ name }) => this.row(name)));
    grid.addEventListener("keydown", (event) => this.key(event));
    grid.addEventListener("pointerleave", () => events.look(undefined));
    grid.addEventListener("focusout", () => events.look(undefined));
    const legend = make("div", { class: "legend" }, this.ends.low, this.bar, this.ends.high);
    const hint = make("p", { class: "caption" }, `Point at a head to see its map; ${this.pressing}.`);
    this.element = make(
      "div",
      { class: "heads-by-layers" },
      this.choice.element,
      hint,
      grid,
      legend,
      this.what,
    );
  }

  update(color: HeadColor, choice: number, off: readonly Head[]): void {
    const now = JSON.stringify([color, choice, off]);
    if (now === this.shown) return;
    this.shown = now;
    this.choice.update(color);
    const values = this.parts.evidence.ofHeads(color, choice).flatMap((stage) => Array.from(stage.values));
    const most = values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    const least = values.reduce((a, b) => Math.min(a, b), most);
    const range: [number, number] = color === "effect" ? [-most, most] : [least, most];
    const table = color === "effect" ? this.parts.tables.effect : this.parts.tables.entropy;
    for (const [i, cell] of this.cells.entries()) this.paint(cell, values[i]!, color, range, table, off);
    paintBar(this.bar, table);
    this.what.textContent = {
      effect: `what ln p of ${this.parts.labels[choice] ?? "the class"} loses without the head, everything else as it is`,
      entropy: "entropy of the head's attention, mean over the queries",
      distance: "how far the head looks, in sides of a patch, mean over the patches",
    }[color];
    this.ends.low.textContent = headValue(color, range[0]);
    this.ends.high.textContent = headValue(color, range[1]);
  }

  private paint(
    { button, layer, head }: Cell,
    value: number,
    color: HeadColor,
    range: readonly [number, number],
    table: ColorTable,
    off: readonly Head[],
  ): void {
    const isOff = off.some((one) => one.layer === layer && one.head === head);
    button.style.setProperty("background", `rgb(${colorAt(table, value, range).join(",")})`);
    button.setAttribute("aria-pressed", String(isOff));
    const what = { effect: "loss without it", entropy: "entropy", distance: "distance" }[color];
    const words = `${headName({ layer, head })}, ${what} ${headValue(color, value)}${isOff ? ", off" : ""}`;
    button.setAttribute("aria-label", words);
    button.setAttribute("title", words);
  }

  private get pressing(): string {
    if (!this.parts.evidence.has("heads.answer")) return "press it to keep its map";
    return this.parts.takesSeveral
      ? "press it to switch it off, others with it: then the kernel is asked"
      : "press it to switch it off, single heads only";
  }

  private row(layer: string): HTMLElement[] {
    const cells = this.cells.filter((cell) => cell.layer === layer).map(({ button }) => button);
    const { short, long } = layerLabel(layer);
    return [
      make("span", { class: "layer-name", title: long }, short),
      make("span", { class: "cells" }, ...cells),
    ];
  }

  private cell(head: Head): Cell {
    const button = make("button", { type: "button", class: "cell", tabindex: "-1" });
    if (head.layer === this.model.stages[0]!.name && head.head === 0) button.setAttribute("tabindex", "0");
    button.addEventListener("pointerenter", (event) => {
      if (event.pointerType === "mouse") this.events.look(head);
    });
    button.addEventListener("focus", () => {
      if (button.matches(":focus-visible")) this.events.look(head);
    });
    button.addEventListener("click", () => this.events.press(head));
    return { ...head, button };
  }

  private key(event: KeyboardEvent): void {
    const next = this.moved(event.key);
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.cells[this.focused]!.button.setAttribute("tabindex", "-1");
    this.focused = next;
    this.cells[next]!.button.setAttribute("tabindex", "0");
    this.cells[next]!.button.focus();
  }

  /** The cell that a key leads to from the one with the focus. */
  private moved(key: string): number | undefined {
    const { cells } = this;
    const at = Math.max(
      0,
      cells.findIndex(({ button }) => button.matches(":focus")),
    );
    this.focused = at;
    if (key === "ArrowRight") return Math.min(cells.length - 1, at + 1);
    if (key === "ArrowLeft") return Math.max(0, at - 1);
    const names = this.model.stages.map(({ name }) => name);
    const step = { ArrowDown: 1, ArrowUp: -1 }[key];
    const layer = step && names[names.indexOf(cells[at]!.layer) + step];
    if (!layer) return step ? at : undefined;
    const there = cells.filter((cell) => cell.layer === layer);
    return cells.indexOf(there[Math.min(cells[at]!.head, there.length - 1)]!);
  }
}
