import { make, makeCanvas, setAttribute, setText } from "../../browser/dom";
import { Answers } from "./answers";
import type { Evidence, Head, HeadColor, Known } from "./evidence";
import type { DrawnPanel } from "./exports";
import { HeadGrid } from "./headGrid";
import { Backdrop, type ColorTable, type ColorTables, colorAt, paintBar } from "./paint";
import type { Layer, ModelHeader, ViewerHeader } from "./payload";
import { patchRange, shownRow } from "./rows";
import { tokenName, type ViewState } from "./state";
import { Thumbnails } from "./thumbnails";
import { type Shown, scaleTitle, sentencesOf, subtitleOf, valueText } from "./words";

/** What a panel tells the viewer. */
export interface PanelEvents {
  point(token: number): void;
  choose(token: number): void;
  key(event: KeyboardEvent): void;
  chooseHead(head: number): void;
  chooseClass(choice: number): void;
  look(head: Head | undefined): void;
  press(head: Head): void;
  colorHeads(color: HeadColor): void;
}

interface PanelParts {
  readonly header: ViewerHeader;
  readonly model: ModelHeader;
  readonly layers: readonly Layer[];
  readonly evidence: Evidence;
  readonly image: HTMLCanvasElement;
  readonly tables: ColorTables;
  readonly events: PanelEvents;
  /** Whether several heads can be off at once. */
  readonly takesSeveral: boolean;
}

/**
 * One model and one image: the image under the colors, their scale, the numbers in words, what the model answers, a
 * thumbnail per head, all heads by layers.
 */
export class Panel {
  readonly element: HTMLElement;
  readonly stage: HTMLCanvasElement;
  readonly bar = makeCanvas(256, 1, { class: "bar", "aria-hidden": "true" });
  private readonly backdrop: Backdrop;
  private readonly swatch = make("i", { class: "swatch" });
  private readonly classText = make("span");
  private shownTable: ColorTable | undefined;
  private readonly subtitle = make("span", { class: "subtitle" });
  private readonly scale = { low: make("span"), high: make("span"), what: make("span", { class: "what" }) };
  private readonly classToken = make("button", { type: "button", class: "class-token" });
  private readonly readout = make("p", { class: "readout" });
  private readonly thumbnails: Thumbnails;
  private readonly answers: Answers | undefined;
  private readonly grid: HeadGrid | undefined;
  /** Token under the pointer while the query is pinned. */
  hovered: number | undefined;
  /** Head of any layer that is pointed at: its map is shown for so long. */
  looked: Head | undefined;

  constructor(private readonly parts: PanelParts) {
    const { header, model, evidence, image, tables, events, takesSeveral } = parts;
    const { rows, columns } = model.grid;
    const cell = Math.ceil(640 / Math.max(rows, columns));
    this.stage = makeCanvas(columns * cell, rows * cell, { class: "stage", role: "img", tabindex: "0" });
    this.backdrop = new Backdrop(image, this.stage, model.grid);
    this.stage.style.setProperty("aspect-ratio", `${columns} / ${rows}`);
    // A tall image takes no more room than a square one.
    this.stage.style.setProperty("flex-basis", `${100 * Math.min(1, columns / rows)}%`);
    const hint = "A token that belongs to no patch. Press to see where it looks (key C).";
    this.classToken.setAttribute("title", hint);
    this.classToken.append(this.swatch, this.classText);
    this.listen();
    const labels = header.choices.map((choice) => header.labels[choice]!);
    const hasAnswers = evidence.top !== undefined && labels.length > 0;
    this.answers = hasAnswers ? new Answers(evidence, labels, model.title, events.chooseClass) : undefined;
    this.grid = evidence.has("heads.entropy")
      ? new HeadGrid(
          model,
          { evidence, labels, tables, takesSeveral },
          {
            look: events.look,
            press: events.press,
            color: events.colorHeads,
          },
        )
      : undefined;
    this.thumbnails = new Thumbnails(model, tables, events.chooseHead);
    const caption = "Each head by itself, with the entropy of the query's attention (nats)";
    this.element = make(
      "section",
      { class: "panel", "aria-label": model.title },
      make(
        "div",
        { class: "seen" },
        make("h4", {}, model.title, this.subtitle),
        this.stage,
        make("div", { class: "legend" }, this.scale.low, this.bar, this.scale.high),
        this.scale.what,
        this.classToken,
        this.readout,
      ),
      make(
        "div",
        { class: "beside" },
        ...(this.answers ? [this.answers.element] : []),
        make("p", { class: "caption" }, caption),
        this.thumbnails.element,
        ...(this.grid ? [this.grid.element] : []),
      ),
    );
  }

  /** The layer shown: the chosen one, or this model's last where it has no such layer. */
  layerOf({ layer }: Pick<ViewState, "layer">): Layer {
    const { layers } = this.parts;
    return layers.find(({ name }) => name === layer) ?? layers.at(-1)!;
  }

  /** The state as this panel shows it: while a head is pointed at, that head. */
  private own(state: ViewState, index: number): ViewState {
    const { looked } = this;
    if (!looked || !this.parts.layers.some(({ name }) => name === looked.layer)) return state;
    const heads = state.heads.map((head, i) => (i === index ? looked.head : head));
    return { ...state, view: "head", layer: looked.layer, heads };
  }

  /** Values over the tokens and their range over the patches. */
  values(given: ViewState, index: number): { row: Float32Array; range: [number, number] } {
    const state = this.own(given, index);
    const row = this.row(state, index);
    const [low, high] = patchRange(row);
    if (state.view === "relevance") return { row, range: [0, 1] };
    return { row, range: state.view === "entropy" || state.view === "norms" ? [low, high] : [0, high] };
  }

  private row(state: ViewState, index: number): Float32Array {
    const { evidence } = this.parts;
    const layer = this.layerOf(state);
    const { view, method, choice, query } = state;
    if (view === "relevance") return evidence.relevance(method, choice)!;
    if (view === "lens") return evidence.lens(layer.name, choice)!;
    if (view === "norms") return evidence.norms(layer.name)!;
    return shownRow(layer, view, this.headOf(state, index), query);
  }

  headOf(state: ViewState, index: number): number {
    return Math.min(state.heads[index] ?? 0, this.layerOf(state).heads - 1);
  }

  /** Draws values that `values` gave, between the ends of `range`. */
  draw(
    given: ViewState,
    index: number,
    {
      row,
      range,
      without,
    }: { row: Float32Array; range: readonly [number, number]; without?: Known | undefined },
  ): void {
    const state = this.own(given, index);
    const { grid, regions } = this.parts.model;
    const { strength, lines, query, pinned, view } = state;
    const isSpread = view === "entropy" || view === "norms";
    const table = isSpread ? this.parts.tables.entropy : this.parts.tables.attention;
    const step = view === "relevance" || view === "lens" || isSpread ? 1 : this.layerOf(state).step;
    this.backdrop.paint({
      ...{ values: row, range, table, veil: isSpread ? 1 : 0.55, grid, strength, lines, pinned },
      ...{ query, step },
      regions: state.outline ? regions : undefined,
    });
    if (table !== this.shownTable) paintBar(this.bar, table);
    this.shownTable = table;
    this.writeScale(state, row, range, table);
    this.writeWords(state, row, index);
    this.thumbnails.draw(this.layerOf(state), state, this.headOf(state, index));
    this.answers?.update(state.choice, state.off[index]!, without);
    this.grid?.update(state.color, state.choice, state.off[index]!);
  }

  /** What an exported image shows of this panel; after `draw`. */
  drawn(): DrawnPanel {
    const [low, high] = [this.scale.low.textContent!, this.scale.high.textContent!];
    const words = `${this.readout.textContent} ${this.answers?.line ?? ""}`.trim();
    return {
      title: `${this.parts.model.title}: ${this.subtitle.textContent}`,
      lines: [this.scale.what.textContent!, ...words.split(/(?<=\.) (?=[A-Z])/)],
      ...{ stage: this.stage, bar: this.bar, low, high },
      heads: this.thumbnails.drawn(),
    };
  }

  /** What has just come to be shown, for who does not see it. */
  get said(): string {
    return `${this.parts.model.title}: ${this.subtitle.textContent}. ${this.readout.textContent} ${this.answers?.line ?? ""}`;
  }

  private listen(): void {
    const { events } = this.parts;
    const tokenAt = ({ offsetX, offsetY }: MouseEvent) => {
      const { rows, columns } = this.parts.model.grid;
      const cell = (at: number, size: number, count: number) =>
        Math.min(count - 1, Math.max(0, Math.floor((at / size) * count)));
      const row = cell(offsetY, this.stage.clientHeight, rows);
      return 1 + row * columns + cell(offsetX, this.stage.clientWidth, columns);
    };
    this.stage.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse") events.point(tokenAt(event));
    });
    this.stage.addEventListener("pointerleave", () => events.point(-1));
    this.stage.addEventListener("click", (event) => events.choose(tokenAt(event)));
    this.stage.addEventListener("keydown", (event) => events.key(event));
    this.classToken.addEventListener("click", () => events.choose(0));
  }

  private writeScale(
    { view, query }: ViewState,
    row: Float32Array,
    [low, high]: readonly [number, number],
    table: ColorTable,
  ): void {
    setText(this.scale.low, low === 0 ? "0 %" : valueText(view, low).replace(/\u00a0nats/, ""));
    setText(this.scale.high, valueText(view, high));
    setText(this.scale.what, scaleTitle(view));
    const color = Number.isNaN(row[0]!) ? "none" : `rgb(${colorAt(table, row[0]!, [low, high]).join(",")})`;
    this.swatch.style.setProperty("background", color);
    setText(this.classText, `class token ${valueText(view, row[0]!)}`);
    setAttribute(this.classToken, "aria-pressed", String(query === 0));
  }

  private writeWords(state: ViewState, row: Float32Array, index: number): void {
    const { header, model, evidence } = this.parts;
    const { grid, regions, title } = model;
    const { query, view, layer: wanted, method } = state;
    const className = header.labels[header.choices[state.choice] ?? -1] ?? "";
    const shown: Shown = {
      ...{ layer: this.layerOf(state), wanted, view, head: this.headOf(state, index), query, grid, row },
      ...{ regions, hovered: this.hovered, evidence, className, method },
    };
    const [subtitle, words] = [subtitleOf(shown), sentencesOf(shown).join(" ")];
    setText(this.subtitle, subtitle);
    setText(this.readout, words);
    const what = `${title}: ${subtitle}. Query: ${tokenName(query, grid)}. ${words}`;
    const keys = "Arrow keys move the query, C takes the class token, Enter pins.";
    this.stage.setAttribute("aria-label", `${what} ${keys}`);
  }
}
