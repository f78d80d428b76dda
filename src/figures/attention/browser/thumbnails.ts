import { make, makeCanvas, setAttribute, setText } from "../../browser/dom";
import { type ColorTables, paintCells } from "./paint";
import type { Layer, ModelHeader } from "./payload";
import { entropyRow, headRow, patchRange } from "./rows";
import { nats, type ViewState } from "./state";

interface Thumbnail {
  readonly button: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly text: HTMLElement;
  readonly meter: HTMLElement;
}

/** A small map per head of a layer, with the entropy of the query's attention. */
export class Thumbnails {
  readonly element = make("div", { class: "heads", role: "group" });
  private made: Thumbnail[] = [];

  constructor(
    private readonly model: ModelHeader,
    private readonly tables: ColorTables,
    private readonly choose: (head: number) => void,
  ) {
    const what = `Heads of ${model.title}, with the entropy of the query's attention in nats`;
    this.element.setAttribute("aria-label", what);
  }

  draw(layer: Layer, { view, query }: Pick<ViewState, "view" | "query">, chosen: number): void {
    if (this.made.length !== layer.heads) this.make(layer.heads);
    const isEntropy = view === "entropy";
    const table = isEntropy ? this.tables.entropy : this.tables.attention;
    for (const [head, { button, canvas, text, meter }] of this.made.entries()) {
      const row = isEntropy ? entropyRow(layer, head) : headRow(layer, head, query);
      const [low, high] = patchRange(row);
      paintCells(canvas, row, [isEntropy ? low : 0, high], table);
      const entropy = layer.entropy[head * layer.tokens + query]!;
      setText(text, entropy.toFixed(2));
      meter.style.setProperty("width", `${(100 * entropy) / Math.log(layer.tokens)}%`);
      setAttribute(button, "aria-pressed", String(view === "head" && head === chosen));
      setAttribute(button, "aria-label", `head ${head + 1}, entropy ${nats(entropy)}`);
    }
  }

  /** For exported images; after `draw`. */
  drawn(): { canvas: HTMLCanvasElement; text: string }[] {
    return this.made.map(({ canvas, text }, head) => ({
      canvas,
      text: `${head + 1}: ${text.textContent} nats`,
    }));
  }

  private make(count: number): void {
    const { grid } = this.model;
    this.made = Array.from({ length: count }, (_, head) => {
      const canvas = makeCanvas(grid.columns, grid.rows, { "aria-hidden": "true" });
      canvas.style.setProperty("aspect-ratio", `${grid.columns} / ${grid.rows}`);
      const [text, meter] = [make("b"), make("i")];
      const label = make("span", { class: "label" }, `head ${head + 1}`, text);
      const attributes = { type: "button", class: "head" };
      const button = make("button", attributes, canvas, label, make("span", { class: "meter" }, meter));
      button.addEventListener("click", () => this.choose(head));
      return { button, canvas, text, meter };
    });
    this.element.replaceChildren(...this.made.map(({ button }) => button));
  }
}
