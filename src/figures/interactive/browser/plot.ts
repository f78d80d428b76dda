import { download } from "../../browser/download";
import {
  type Canvas,
  type Element,
  make,
  makeCanvas,
  type PageEvent,
  type Picture,
  page,
} from "../../browser/dom";
import { isDark, onThemeChange } from "../../browser/pageTheme";
import type { PlotlyFigure } from "../../figure";
import { figureSummary } from "../../summary";
import type { Panel } from "../../svg/panels";
import { type PlacedFigure, placeFigure } from "../../svg/place";
import { drawFigure } from "../../svg/render";
import { figureFont, seriesColor, themes } from "../../theme";
import { type Mark, markAt, marksOf, wordsOf } from "./marks";
import { plotStyle } from "./style";
import { type Ranges, withView, zoomable, zoomTo } from "./zoom";

/** A figure in a page: drawn in its width and theme, to point at, to zoom into, with traces switched in the legend. */
export class Plot {
  private readonly drawing = make("div", { class: "drawing" });
  private readonly tip = make("div", { class: "tip", role: "status" });
  private readonly ring = make("div", { class: "ring" });
  private readonly rectangle = make("div", { class: "rectangle" });
  private readonly reset = this.button("Reset", "Show everything again", () => this.zoom(new Map()));
  private readonly root: Element;
  private readonly off = new Set<number>();
  private ranges: Ranges = new Map();
  private placed!: PlacedFigure;
  private marks: readonly Mark[] = [];
  private current: Mark | undefined;
  private drag: { panel: Panel; x: number; y: number } | undefined;

  constructor(
    private readonly host: Element,
    private readonly figure: PlotlyFigure,
  ) {
    const tools = make(
      "div",
      { class: "tools" },
      this.reset,
      this.button("PNG", "Save as PNG", () => void this.savePng()),
      this.button("SVG", "Save as SVG", () => this.saveSvg()),
    );
    const label = `Figure: ${figureSummary(figure)}. Arrow keys read its points.`;
    this.root = make("div", { class: "plot", tabindex: "0", role: "group", "aria-label": label });
    this.root.append(this.drawing, this.rectangle, this.ring, this.tip, tools);
    this.listen();
    host.setAttribute("data-lm-suppress-shortcuts", "true");
    host.attachShadow({ mode: "open" }).append(make("style", {}, plotStyle), this.root);
    onThemeChange(() => this.draw());
    new page.ResizeObserver(() => {
      if (host.clientWidth > 0 && this.width() !== this.placed.figure.layout.width) this.draw();
    }).observe(host);
  }

  draw(): void {
    const theme = isDark(this.host) ? "dark" : "light";
    this.placed = placeFigure(withView(this.figure, this.ranges, this.off), this.width());
    this.marks = marksOf(this.placed);
    this.drawing.innerHTML = drawFigure(this.placed, { theme, inline: true });
    const colors = { ...themes[theme], accent: seriesColor(0), font: figureFont };
    for (const [name, color] of Object.entries(colors)) this.root.style.setProperty(`--${name}`, color);
    this.root.style.setProperty("width", `${this.placed.figure.layout.width}px`);
    this.root.setAttribute("data-theme", theme);
    this.reset.hidden = this.ranges.size === 0;
    this.root.classList.toggle("zoomed", this.ranges.size > 0);
    this.rectangle.hidden = true;
    this.point(undefined);
  }

  /** The page's width, but not so narrow that panels beside each other could not be read. */
  private width(): number {
    const own = this.figure.layout.width ?? 720;
    const panels = new Set(this.figure.data.map(({ xaxis }) => xaxis)).size;
    const least = panels > 1 ? 0.72 * own : 300;
    return Math.round(Math.min(own, Math.max(least, this.host.clientWidth || own)));
  }

  private listen(): void {
    const { root } = this;
    root.addEventListener("pointermove", (event) => this.move(event));
    root.addEventListener("pointerleave", () => this.leave());
    root.addEventListener("pointerdown", (event) => this.press(event));
    root.addEventListener("pointerup", (event) => this.release(event));
    root.addEventListener("dblclick", () => this.zoom(new Map()));
    root.addEventListener("keydown", (event) => this.key(event));
    root.addEventListener("blur", () => this.point(undefined));
    root.addEventListener("click", (event) => {
      const entry = event.target?.closest(".entry");
      if (entry) this.toggle(Number(entry.dataset.trace));
    });
  }

  private move(event: PageEvent): void {
    const [x, y] = this.at(event);
    this.point(this.drag ? undefined : markAt(this.marks, x, y));
    if (!this.drag) return;
    const box = { left: Math.min(x, this.drag.x), top: Math.min(y, this.drag.y) };
    const size = { width: Math.abs(x - this.drag.x), height: Math.abs(y - this.drag.y) };
    for (const [name, value] of Object.entries({ ...box, ...size }))
      this.rectangle.style.setProperty(name, `${value}px`);
    this.rectangle.hidden = false;
  }

  private press(event: PageEvent): void {
    const [x, y] = this.at(event);
    const panel = zoomable(this.placed, x, y);
    // A finger that moves scrolls the page; it points by a tap.
    if (event.pointerType !== "touch" && event.button === 0 && panel) this.drag = { panel, x, y };
  }

  private release(event: PageEvent): void {
    const { drag } = this;
    this.drag = undefined;
    if (!drag) this.move(event);
    else this.zoom(zoomTo(this.figure, this.ranges, drag.panel, [drag.x, drag.y, ...this.at(event)]));
  }

  private leave(): void {
    this.drag = undefined;
    this.rectangle.hidden = true;
    this.point(undefined);
  }

  private zoom(ranges: Ranges): void {
    const changed = ranges !== this.ranges;
    this.ranges = ranges;
    this.rectangle.hidden = true;
    if (changed) this.draw();
  }

  /** Switches a trace, and what belongs to it in the legend, off or on. */
  private toggle(index: number): void {
    const group = this.figure.data[index]!.legendgroup;
    const isOff = this.off.has(index);
    for (const [other, { legendgroup }] of this.figure.data.entries()) {
      if (other !== index && (group === undefined || legendgroup !== group)) continue;
      if (isOff) this.off.delete(other);
      else this.off.add(other);
    }
    this.draw();
  }

  private key(event: PageEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      const acrossTraces = event.key === "ArrowDown" || event.key === "ArrowUp";
      this.point(acrossTraces ? this.otherTrace(step) : (this.marks[this.place() + step] ?? this.current));
    } else if (event.key === "Escape") this.zoom(new Map());
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private place(): number {
    return this.current ? this.marks.indexOf(this.current) : -1;
  }

  /** The mark of the next trace that is nearest from left to right. */
  private otherTrace(step: number): Mark | undefined {
    const traces = [...new Set(this.marks.map(({ trace }) => trace))];
    const { current } = this;
    if (!current) return this.marks[0];
    const next = traces[traces.indexOf(current.trace) + step];
    const own = this.marks.filter(({ trace }) => trace === next);
    const distance = (mark: Mark) => Math.abs(mark.x - current.x);
    return own.reduce((best, mark) => (distance(mark) < distance(best) ? mark : best), own[0] ?? current);
  }

  private point(mark: Mark | undefined): void {
    this.current = mark;
    this.tip.hidden = mark === undefined;
    this.ring.hidden = mark === undefined;
    if (!mark) return;
    const lines = wordsOf(mark).map((line, index, all) =>
      make("div", {}, index === 0 && all.length > 1 ? make("b", {}, line) : line),
    );
    this.tip.replaceChildren(...lines);
    const { width } = this.placed.figure.layout;
    const isRight = mark.x > width / 2;
    const places = {
      left: isRight ? "auto" : `${mark.x + 13}px`,
      right: isRight ? `${width - mark.x + 13}px` : "auto",
      top: `${Math.max(2, mark.y - 14)}px`,
      "border-left": `3px solid ${mark.color}`,
    };
    for (const [name, value] of Object.entries(places)) this.tip.style.setProperty(name, value);
    this.ring.style.setProperty("left", `${mark.x}px`);
    this.ring.style.setProperty("top", `${mark.y}px`);
  }

  private at({ clientX, clientY }: PageEvent): [number, number] {
    const { left, top } = this.root.getBoundingClientRect();
    return [clientX - left, clientY - top];
  }

  private button(text: string, title: string, press: () => void): Element {
    const button = make("button", { type: "button", title }, text);
    button.addEventListener("click", press);
    return button;
  }

  private svg(): string {
    return drawFigure(this.placed, { theme: isDark(this.host) ? "dark" : "light" });
  }

  private saveSvg(): void {
    download(new page.Blob([this.svg()], { type: "image/svg+xml" }), "figure.svg", this.root);
  }

  /** The drawing as a picture at twice the screen's resolution. */
  private async savePng(): Promise<void> {
    const { width, height } = this.placed.figure.layout;
    const image: Picture = new page.Image();
    image.src = `data:image/svg+xml;charset=utf-8,${page.encodeURIComponent(this.svg())}`;
    await image.decode();
    const canvas: Canvas = makeCanvas(2 * width, 2 * height);
    canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
    canvas.toBlob((blob) => blob && download(blob, "figure.png", this.root), "image/png");
  }
}
