import { make, makeCanvas } from "../../browser/dom";
import type { DrawnPanel } from "./exports";
import { type ColorTable, colorAt, grayCopy, paintBar, paintCells, paintOverlay } from "./paint";
import type { Layer, ModelHeader } from "./payload";
import { entropyRow, headRow, patchRange, shownRow } from "./rows";
import { nats, percent, tokenName, type ViewState } from "./state";
import { scaleTitle, sentencesOf, subtitleOf } from "./words";

/** What a panel tells the viewer. */
export interface PanelEvents {
  point(token: number): void;
  choose(token: number): void;
  key(event: KeyboardEvent): void;
  chooseHead(head: number): void;
}

export interface ColorTables {
  readonly attention: ColorTable;
  readonly entropy: ColorTable;
}

/** One model: its image under the attention, the colors' scale, the numbers in words, a thumbnail per head. */
export class Panel {
  readonly element: HTMLElement;
  readonly stage: HTMLCanvasElement;
  readonly bar: HTMLCanvasElement;
  private readonly gray: HTMLCanvasElement;
  private readonly subtitle = make("span", { class: "subtitle" });
  private readonly scale = { low: make("span"), high: make("span"), what: make("span", { class: "what" }) };
  private readonly classToken = make("button", { type: "button", class: "class-token" });
  private readonly readout = make("p", { class: "readout", "aria-live": "polite" });
  private readonly heads = make("div", { class: "heads", role: "group" });
  private thumbnails: {
    button: HTMLElement;
    canvas: HTMLCanvasElement;
    text: HTMLElement;
    meter: HTMLElement;
  }[] = [];
  /** Token under the pointer while the query is pinned. */
  hovered: number | undefined;
  readonly model: ModelHeader;
  readonly layers: readonly Layer[];
  private readonly image: HTMLCanvasElement;
  private readonly tables: ColorTables;
  private readonly events: PanelEvents;

  constructor(parts: {
    model: ModelHeader;
    layers: readonly Layer[];
    image: HTMLCanvasElement;
    tables: ColorTables;
    events: PanelEvents;
  }) {
    const { model, layers, image, tables, events } = parts;
    this.model = model;
    this.layers = layers;
    this.image = image;
    this.tables = tables;
    this.events = events;

    this.gray = grayCopy(image);
    const { rows, columns } = model.grid;
    const cell = Math.ceil(640 / Math.max(rows, columns));
    this.stage = makeCanvas(columns * cell, rows * cell, { class: "stage", role: "img", tabindex: "0" });
    this.stage.style.setProperty("aspect-ratio", `${columns} / ${rows}`);
    // A tall image takes no more room than a square one.
    this.stage.style.setProperty("flex-basis", `${100 * Math.min(1, columns / rows)}%`);
    this.bar = makeCanvas(256, 1, { class: "bar", "aria-hidden": "true" });
    this.listen();
    const legend = make("div", { class: "legend" }, this.scale.low, this.bar, this.scale.high);
    this.element = make(
      "section",
      { class: "panel", "aria-label": model.title },
      make("h4", {}, model.title, this.subtitle),
      this.stage,
      legend,
      this.scale.what,
      this.classToken,
      this.readout,
      make(
        "p",
        { class: "caption" },
        "Each head by itself, with the entropy of the query's attention (nats)",
      ),
      this.heads,
    );
  }

  /** The layer shown: the chosen one, or this model's last where it has no such layer. */
  layerOf({ layer }: ViewState): Layer {
    return this.layers.find(({ name }) => name === layer) ?? this.layers.at(-1)!;
  }

  /** Values over the tokens and their range over the patches. */
  values(state: ViewState, index: number): { row: Float32Array; range: [number, number] } {
    const row = shownRow(this.layerOf(state), state.view, this.headOf(state, index), state.query);
    const [low, high] = patchRange(row);
    return { row, range: state.view === "entropy" ? [low, high] : [0, high] };
  }

  headOf(state: ViewState, index: number): number {
    return Math.min(state.heads[index] ?? 0, this.layerOf(state).heads - 1);
  }

  draw(state: ViewState, index: number, range: readonly [number, number]): void {
    const { row } = this.values(state, index);
    const table = state.view === "entropy" ? this.tables.entropy : this.tables.attention;
    const { grid, regions } = this.model;
    const { strength, lines, query, pinned } = state;
    paintOverlay(this.stage, this.image, this.gray, {
      ...{
        values: row,
        range,
        table,
        veil: state.view === "entropy" ? 1 : 0.55,
        grid,
        strength,
        lines,
        query,
        pinned,
      },
      regions: state.outline ? regions : undefined,
    });
    paintBar(this.bar, table);
    this.writeScale(state, row, range, table);
    this.writeWords(state, row, index);
    this.drawHeads(state, index);
  }

  /** What an exported image shows of this panel; after `draw`. */
  drawn(): DrawnPanel {
    const [low, high] = [this.scale.low.textContent!, this.scale.high.textContent!];
    return {
      title: `${this.model.title}: ${this.subtitle.textContent}`,
      lines: [this.scale.what.textContent!, ...this.readout.textContent!.split(/(?<=\.) (?=[A-Z])/)],
      ...{ stage: this.stage, bar: this.bar, low, high },
      heads: this.thumbnails.map(({ canvas, text }, head) => ({
        canvas,
        text: `${head + 1}: ${text.textContent} nats`,
      })),
    };
  }

  private listen(): void {
    const tokenAt = ({ offsetX, offsetY }: MouseEvent) => {
      const { rows, columns } = this.model.grid;
      const cell = (at: number, size: number, count: number) =>
        Math.min(count - 1, Math.max(0, Math.floor((at / size) * count)));
      const row = cell(offsetY, this.stage.clientHeight, rows);
      return 1 + row * columns + cell(offsetX, this.stage.clientWidth, columns);
    };
    this.stage.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse") this.events.point(tokenAt(event));
    });
    this.stage.addEventListener("pointerleave", () => this.events.point(-1));
    this.stage.addEventListener("click", (event) => this.events.choose(tokenAt(event)));
    this.stage.addEventListener("keydown", (event) => this.events.key(event));
    this.classToken.addEventListener("click", () => this.events.choose(0));
  }

  private writeScale(
    { view, query }: ViewState,
    row: Float32Array,
    [low, high]: readonly [number, number],
    table: ColorTable,
  ): void {
    const entropy = view === "entropy";
    this.scale.low.textContent = entropy ? low.toFixed(2) : "0 %";
    this.scale.high.textContent = entropy ? nats(high) : percent(high);
    this.scale.what.textContent = scaleTitle(view);
    const swatch = make("i", { class: "swatch" });
    swatch.style.setProperty("background", `rgb(${colorAt(table, row[0]!, [low, high]).join(",")})`);
    const value = entropy ? nats(row[0]!) : percent(row[0]!);
    this.classToken.replaceChildren(swatch, `class token ${value}`);
    this.classToken.setAttribute("aria-pressed", String(query === 0));
    this.classToken.setAttribute(
      "title",
      "A token that belongs to no patch. Press to see where it looks (key C).",
    );
  }

  private writeWords(state: ViewState, row: Float32Array, index: number): void {
    const { grid, regions, title } = this.model;
    const { query, view, layer: wanted } = state;
    const { hovered } = this;
    const head = this.headOf(state, index);
    const shown = { layer: this.layerOf(state), wanted, view, head, query, grid, row, regions, hovered };
    const [subtitle, words] = [subtitleOf(shown), sentencesOf(shown).join(" ")];
    this.subtitle.textContent = subtitle;
    this.readout.textContent = words;
    const what = `${title}: ${subtitle}. Query: ${tokenName(query, grid)}. ${words}`;
    this.stage.setAttribute(
      "aria-label",
      `${what} Arrow keys move the query, C takes the class token, Enter pins.`,
    );
  }

  private drawHeads(state: ViewState, index: number): void {
    const layer = this.layerOf(state);
    if (this.thumbnails.length !== layer.heads) this.makeThumbnails(layer.heads);
    const chosen = this.headOf(state, index);
    for (const [head, { button, canvas, text, meter }] of this.thumbnails.entries()) {
      const entropies = entropyRow(layer, head);
      const isEntropy = state.view === "entropy";
      const row = isEntropy ? entropies : headRow(layer, head, state.query);
      const [low, high] = patchRange(row);
      paintCells(
        canvas,
        row,
        [isEntropy ? low : 0, high],
        isEntropy ? this.tables.entropy : this.tables.attention,
      );
      const entropy = entropies[state.query]!;
      text.textContent = entropy.toFixed(2);
      meter.style.setProperty("width", `${(100 * entropy) / Math.log(layer.tokens)}%`);
      button.setAttribute("aria-pressed", String(state.view === "head" && head === chosen));
      button.setAttribute("aria-label", `head ${head + 1}, entropy ${nats(entropy)}`);
    }
  }

  private makeThumbnails(count: number): void {
    const { grid, title } = this.model;
    this.thumbnails = Array.from({ length: count }, (_, head) => {
      const canvas = makeCanvas(grid.columns, grid.rows, { "aria-hidden": "true" });
      canvas.style.setProperty("aspect-ratio", `${grid.columns} / ${grid.rows}`);
      const [text, meter] = [make("b"), make("i")];
      const label = make("span", { class: "label" }, `head ${head + 1}`, text);
      const button = make(
        "button",
        { type: "button", class: "head" },
        canvas,
        label,
        make("span", { class: "meter" }, meter),
      );
      button.addEventListener("click", () => this.events.chooseHead(head));
      return { button, canvas, text, meter };
    });
    this.heads.setAttribute(
      "aria-label",
      `Heads of ${title}, with the entropy of the query's attention in nats`,
    );
    this.heads.replaceChildren(...this.thumbnails.map(({ button }) => button));
  }
}
