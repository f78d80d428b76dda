import { make } from "../../browser/dom";
import { download } from "../../browser/download";
import { pageAround } from "../../browser/pageAround";
import { isDark, onThemeChange } from "../../browser/pageTheme";
import { type Controls, makeControls } from "./controls";
import { type Drawing, drawingOf, toCanvas, toSvg } from "./exports";
import { explanation, hint, hints, views } from "./guide";
import type { Panel } from "./panel";
import type { ViewerHeader } from "./payload";
import { layerLabel, layerNames, movedQuery, type ViewState } from "./state";
import { viewerStyle } from "./style";

/** The viewer in a page: panels side by side that share the query, the layer and what is shown. */
export class Viewer {
  private readonly root: HTMLElement;
  private readonly controls: Controls;
  private readonly explain = make("p", { class: "explain" });
  private readonly hint = make("p", { class: "hint" });
  private readonly made = make("div", { class: "made" });
  private readonly source: string;

  constructor(
    private readonly host: HTMLElement,
    private readonly header: ViewerHeader,
    private readonly panels: readonly Panel[],
    private readonly state: ViewState,
  ) {
    this.source = host.outerHTML.replace(/^<div[^>]*>/, '<div class="luvit-attention">');
    const { models } = header;
    const options = { hasObject: models.some(({ regions }) => regions), isPair: models.length > 1 };
    this.controls = makeControls(layerNames(models), options, (part) => this.change(part));
    const row = make("div", { class: "panels" }, ...panels.map(({ element }) => element));
    row.style.setProperty("--count", String(panels.length));
    const title = make("h3", {}, header.title);
    this.root = make("div", { class: panels.length > 1 ? "viewer" : "viewer single" });
    const explanations = views.flatMap((view) => [0, 1].map((query) => explanation(view, query)));
    this.root.append(title, reserving(this.hint, hints), this.controls.element);
    this.root.append(reserving(this.explain, explanations), row, this.foot());
    const shadow = host.attachShadow({ mode: "open" });
    shadow.append(make("style", {}, viewerStyle), this.root);
    this.setTheme();
    onThemeChange(() => this.setTheme());
    this.draw();
  }

  /** The pointer is over a token, or (-1) over none. */
  point(panel: number, token: number): void {
    if (!this.state.pinned && token > 0) this.state.query = token;
    const { hovered } = this.panels[panel]!;
    const reads = this.state.pinned && token > 0 ? token : undefined;
    if (hovered === reads && this.state.pinned) return;
    this.panels[panel]!.hovered = reads;
    this.draw();
  }

  /** A token was pressed: it becomes the query and stays; pressed again it is let go. */
  choose(token: number): void {
    const { query, pinned } = this.state;
    this.change(pinned && query === token ? { pinned: false } : { query: token, pinned: true });
  }

  key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moved = movedQuery(this.state.query, event.key, this.header.models[0]!.grid);
    const pin = event.key === "Enter" || event.key === " ";
    const part =
      moved !== undefined
        ? { query: moved, pinned: true }
        : pin
          ? { pinned: !this.state.pinned }
          : event.key === "Escape"
            ? { pinned: false }
            : undefined;
    if (!part) return;
    event.preventDefault();
    event.stopPropagation();
    this.change(part);
  }

  chooseHead(panel: number, head: number): void {
    const isChosen = this.state.view === "head" && this.state.heads[panel] === head;
    const heads = this.state.heads.map((own, index) => (index === panel ? head : own));
    this.change(isChosen ? { view: "mean" } : { view: "head", heads });
  }

  private change(part: Partial<ViewState>): void {
    Object.assign(this.state, part);
    if (!this.state.pinned) for (const panel of this.panels) panel.hovered = undefined;
    this.draw();
  }

  private draw(): void {
    const { state, panels } = this;
    const ranges = panels.map((panel, index) => panel.values(state, index).range);
    const all: [number, number] = [
      Math.min(...ranges.map(([low]) => low)),
      Math.max(...ranges.map(([, high]) => high)),
    ];
    for (const [index, panel] of panels.entries()) {
      panel.draw(state, index, state.sameScale ? all : ranges[index]!);
    }
    this.controls.update(state);
    this.explain.textContent = explanation(state.view, state.query);
    this.hint.textContent = hint(state);
    this.host.dataset.state = JSON.stringify(state);
  }

  private setTheme(): void {
    const dark = isDark(this.host);
    const colors = { ...(dark ? this.header.themes.dark : this.header.themes.light) };
    const extra = dark
      ? { accent: "#3d8fd1", focus: "#8cc6f5", tint: "#1b222b" }
      : { accent: "#2470ad", focus: "#8abbe3", tint: "#f2f6fa" };
    for (const [name, value] of Object.entries({ ...colors, ...extra, font: this.header.font })) {
      this.root.style.setProperty(`--${name}`, value);
    }
    this.root.dataset.theme = dark ? "dark" : "light";
  }

  private foot(): HTMLElement {
    const button = (text: string, hint: string, press: () => void) => {
      const element = make("button", { type: "button", title: hint }, text);
      element.addEventListener("click", press);
      return element;
    };
    const leftOut = this.header.models.flatMap((model) => model.leftOut);
    const missing = [...new Set(leftOut)].map((name) => layerLabel(name).long).join(", ");
    const note = missing ? `Left out of this page to keep it small: ${missing}. ` : "";
    return make(
      "div",
      { class: "foot" },
      button("Save as PNG", "What is shown now, as an image", () => this.saveImage()),
      button("Save as SVG", "What is shown now, its words as words", () => this.saveSvg()),
      button("Save as HTML", "This viewer as a page of its own, opening with what is shown now", () =>
        this.savePage(),
      ),
      make("span", { class: "note" }, `${note}Weights are kept in 256 steps per row; entropies are exact.`),
      this.made,
    );
  }

  /** What is shown now. */
  private drawing(): Drawing {
    const { title, themes, font } = this.header;
    const theme = this.root.dataset.theme === "dark" ? themes.dark : themes.light;
    const panels = this.panels.map((panel) => panel.drawn());
    return drawingOf(title, panels, theme, font);
  }

  private saveSvg(): void {
    const blob = new Blob([toSvg(this.drawing())], { type: "image/svg+xml" });
    download(blob, `attention-${this.state.layer}.svg`, this.root);
    this.made.replaceChildren();
  }

  private saveImage(): void {
    const { state, header } = this;
    const canvas = toCanvas(this.drawing());
    canvas.toBlob((blob) => {
      if (blob) download(blob, `attention-${state.layer}.png`, this.root);
    }, "image/png");
    const show = make("button", { type: "button" }, "No file? Show the image here");
    show.addEventListener("click", () => {
      this.made.replaceChildren(
        make("img", { src: canvas.toDataURL("image/png"), alt: `${header.title}, as saved` }),
      );
    });
    this.made.replaceChildren(show);
  }

  private savePage(): void {
    const state = JSON.stringify(this.state).replace(/&/g, "&amp;").replace(/"/g, "&quot;");
    const start = this.source.replace("<div ", `<div data-state="${state}" `);
    const blob = new Blob([pageAround(start, this.header.title)], { type: "text/html" });
    download(blob, "attention.html", this.root);
    this.made.replaceChildren();
  }
}

/** A paragraph that is as high as the highest of its texts, so that nothing below moves when one takes another's place. */
function reserving(shown: HTMLElement, texts: readonly string[]): HTMLElement {
  const unseen = texts.map((text) =>
    make("p", { class: `unseen unseen-${shown.className}`, "aria-hidden": "true" }, text),
  );
  return make("div", { class: "reserving" }, shown, ...unseen);
}
