import { make, setText } from "../../browser/dom";
import { isDark, onThemeChange } from "../../browser/pageTheme";
import type { AddressBar } from "./addressBar";
import { type Controls, makeControls } from "./controls";
import type { Evidence, Head } from "./evidence";
import { drawingOf } from "./exports";
import { explanation, hint, hints } from "./guide";
import type { Panel } from "./panel";
import type { ViewerHeader } from "./payload";
import { makeFoot } from "./saving";
import { layerNames, movedQuery, type ViewState, viewsOf } from "./state";
import { viewerStyle } from "./style";
import type { WithoutHeads } from "./withoutHeads";

/** The viewer in a page: panels side by side that share the query, the layer and what is shown. */
export class Viewer {
  private readonly root: HTMLElement;
  private readonly controls: Controls;
  private readonly explain = make("p", { class: "explain" });
  private readonly hint = make("p", { class: "hint" });
  /** What a screen reader says after a key or a click; what the pointer passes over is not said. */
  private readonly said = make("p", { class: "said", role: "status", "aria-live": "polite" });
  private readonly views: ReturnType<typeof viewsOf>;
  /** Whether this frame of the screen has been drawn for the pointer, and whether it moved on since. */
  private pointer: "still" | "drawn" | "moved" = "still";

  constructor(
    private readonly host: HTMLElement,
    private readonly header: ViewerHeader,
    private readonly panels: readonly Panel[],
    private readonly evidence: readonly Evidence[],
    private readonly state: ViewState,
    private readonly address: AddressBar,
    private readonly withoutHeads: WithoutHeads,
  ) {
    const source = host.outerHTML.replace(/^<div[^>]*>/, '<div class="luvit-attention">');
    const { models, methods } = header;
    this.views = viewsOf(header);
    const options = { hasObject: models.some(({ regions }) => regions), isPair: models.length > 1 };
    this.controls = makeControls(layerNames(models), { ...options, views: this.views, methods }, (part) =>
      this.change(part),
    );
    this.root = make("div", { class: panels.length > 1 ? "viewer" : "viewer single" });
    if (models.some(({ sections }) => sections.length > 0)) this.root.classList.add("bench");
    const explanations = this.views.flatMap((view) => [0, 1].map((query) => explanation(view, query)));
    const row = make("div", { class: "panels" }, ...panels.map(({ element }) => element));
    row.style.setProperty("--count", String(panels.length));
    this.root.append(make("h3", {}, header.title), reserving(this.hint, hints), this.controls.element);
    this.root.append(reserving(this.explain, explanations), row, this.foot(source), this.said);
    const shadow = host.attachShadow({ mode: "open" });
    shadow.append(make("style", {}, viewerStyle), this.root);
    this.setTheme();
    onThemeChange(() => this.setTheme());
    address.follow((part) => this.change(part));
    this.draw();
  }

  /** The pointer is over a token, or (-1) over none. */
  point(panel: number, token: number): void {
    if (!this.state.pinned && token > 0) this.state.query = token;
    const { hovered } = this.panels[panel]!;
    const reads = this.state.pinned && token > 0 ? token : undefined;
    if (hovered === reads && this.state.pinned) return;
    this.panels[panel]!.hovered = reads;
    this.drawForPointer();
  }

  /** A token was pressed: it becomes the query and stays; pressed again it is let go. */
  choose(token: number): void {
    const { query, pinned } = this.state;
    this.change(pinned && query === token ? { pinned: false } : { query: token, pinned: true });
  }

  key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const part = this.partOf(event.key);
    if (!part) return;
    event.preventDefault();
    event.stopPropagation();
    this.change(part);
  }

  private partOf(key: string): Partial<ViewState> | undefined {
    const moved = movedQuery(this.state.query, key, this.header.models[0]!.grid);
    if (moved !== undefined) return { query: moved, pinned: true };
    if (key === "Enter" || key === " ") return { pinned: !this.state.pinned };
    return key === "Escape" ? { pinned: false } : undefined;
  }

  chooseHead(panel: number, head: number): void {
    const isChosen = this.state.view === "head" && this.state.heads[panel] === head;
    this.change(isChosen ? { view: "mean" } : { view: "head", heads: this.headsWith(panel, head) });
  }

  /** A head of any layer is pointed at in the grid of heads. */
  look(panel: number, head: Head | undefined): void {
    if (this.panels[panel]!.looked === head) return;
    this.panels[panel]!.looked = head;
    this.draw();
  }

  /** A head of any layer was pressed: it is switched off or on where that is known, else its map is kept. */
  press(panel: number, head: Head): void {
    if (!this.evidence[panel]!.has("heads.answer")) {
      this.change({ view: "head", layer: head.layer, heads: this.headsWith(panel, head.head) });
      return;
    }
    const isSame = (one: Head) => one.layer === head.layer && one.head === head.head;
    const off = this.state.off.map((some, i) => {
      if (i !== panel) return some;
      const others = this.withoutHeads.takesSeveral ? some.filter((one) => !isSame(one)) : [];
      return some.some(isSame) ? others : [...others, head];
    });
    this.withoutHeads.forgetProblems();
    this.change({ off });
  }

  /** What was asked for elsewhere has come. */
  refresh(): void {
    this.change({});
  }

  change(part: Partial<ViewState>): void {
    Object.assign(this.state, part);
    if (!this.state.pinned) for (const panel of this.panels) panel.hovered = undefined;
    this.draw();
    this.said.textContent = this.panels.map(({ said }) => said).join(" ");
  }

  /** At once, and then no more than once a frame: a pointer moves more often than a screen shows it. */
  private drawForPointer(): void {
    if (this.pointer === "still") this.drawThisFrame();
    else this.pointer = "moved";
  }

  private drawThisFrame(): void {
    this.pointer = "drawn";
    this.draw();
    requestAnimationFrame(() => {
      if (this.pointer === "moved") this.drawThisFrame();
      else this.pointer = "still";
    });
  }

  private headsWith(panel: number, head: number): number[] {
    return this.state.heads.map((own, index) => (index === panel ? head : own));
  }

  private draw(): void {
    const { state, panels } = this;
    const values = panels.map((panel, index) => panel.values(state, index));
    const ranges = values.map(({ range }) => range);
    const all: [number, number] = [
      Math.min(...ranges.map(([low]) => low)),
      Math.max(...ranges.map(([, high]) => high)),
    ];
    for (const [index, panel] of panels.entries()) {
      const range = state.sameScale ? all : ranges[index]!;
      panel.draw(state, index, {
        row: values[index]!.row,
        range,
        without: this.withoutHeads.of(index, state.off[index]!),
      });
    }
    this.controls.update(state);
    setText(this.explain, explanation(state.view, state.query));
    setText(this.hint, hint(state));
    this.host.dataset.state = JSON.stringify(state);
    this.address.write(state);
  }

  private setTheme(): void {
    const dark = isDark(this.host);
    const colors = { ...(dark ? this.header.themes.dark : this.header.themes.light) };
    const extra = dark
      ? { accent: "#2b79b8", focus: "#8cc6f5", tint: "#1b222b" }
      : { accent: "#2470ad", focus: "#8abbe3", tint: "#f2f6fa" };
    for (const [name, value] of Object.entries({ ...colors, ...extra, font: this.header.font })) {
      this.root.style.setProperty(`--${name}`, value);
    }
    this.root.dataset.theme = dark ? "dark" : "light";
  }

  private foot(source: string): HTMLElement {
    const { header } = this;
    const drawing = () => {
      const theme = this.root.dataset.theme === "dark" ? header.themes.dark : header.themes.light;
      const panels = this.panels.map((panel) => panel.drawn());
      return drawingOf(header.title, panels, theme, header.font);
    };
    return makeFoot({ header, source, root: () => this.root, state: () => this.state, drawing });
  }
}

/** A paragraph that is as high as the highest of its texts, so that nothing below moves when one takes another's place. */
function reserving(shown: HTMLElement, texts: readonly string[]): HTMLElement {
  const unseen = texts.map((text) =>
    make("p", { class: `unseen unseen-${shown.className}`, "aria-hidden": "true" }, text),
  );
  return make("div", { class: "reserving" }, shown, ...unseen);
}
