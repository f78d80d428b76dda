import { make } from "../../browser/dom";
import { isDark, onThemeChange } from "../../browser/pageTheme";
import type { PlotlyFigure } from "../../spec";
import { figureSummary } from "../../summary";
import type { Panel } from "../../svg/panels";
import { type PlacedFigure, placeFigure } from "../../svg/place";
import { drawFigure } from "../../svg/render";
import { figureFont, seriesColor, themes } from "../../theme";
import { marksOf } from "./marks";
import { Pointer, place } from "./pointer";
import { savePng, saveSvg } from "./saving";
import { plotStyle } from "./style";
import { type Ranges, withView, zoomable, zoomTo } from "./zoom";

/** A figure in a page: drawn in its width and theme, to point at, to zoom into, with traces switched in the legend. */
export class Plot {
  private readonly drawing = make("div", { class: "drawing" });
  private readonly pointer = new Pointer();
  private readonly rectangle = make("div", { class: "rectangle" });
  private readonly reset = button("Reset", "Show everything again", () => this.zoom(new Map()));
  private readonly root: HTMLElement;
  private readonly off = new Set<number>();
  private ranges: Ranges = new Map();
  private placed!: PlacedFigure;
  /** The width that it was drawn for. */
  private drawn = 0;
  private drag: { panel: Panel; x: number; y: number } | undefined;

  constructor(
    private readonly host: HTMLElement,
    private readonly figure: PlotlyFigure,
  ) {
    const tools = make(
      "div",
      { class: "tools" },
      this.reset,
      button("PNG", "Save as PNG", () => void savePng(this.svg(), this.placed.figure.layout, this.root)),
      button("SVG", "Save as SVG", () => saveSvg(this.svg(), this.root)),
    );
    const label = `Figure: ${figureSummary(figure)}. Arrow keys read its points.`;
    this.root = make("div", { class: "plot", tabindex: "0", role: "group", "aria-label": label });
    this.root.append(this.drawing, this.rectangle, ...this.pointer.elements, tools);
    this.listen();
    host.setAttribute("data-lm-suppress-shortcuts", "true");
    host.attachShadow({ mode: "open" }).append(make("style", {}, plotStyle), this.root);
    onThemeChange(() => {
      if (host.isConnected) this.draw();
    });
    new ResizeObserver(() => {
      if (host.clientWidth > 0 && this.width() !== this.drawn) this.draw();
    }).observe(host);
  }

  draw(): void {
    const theme = isDark(this.host) ? "dark" : "light";
    this.drawn = this.width();
    this.placed = placeFigure(withView(this.figure, this.ranges, this.off), this.drawn);
    this.drawing.innerHTML = drawFigure(this.placed, { theme, inline: true });
    const colors = { ...themes[theme], accent: seriesColor(0), font: figureFont };
    for (const [name, color] of Object.entries(colors)) this.root.style.setProperty(`--${name}`, color);
    const { width } = this.placed.figure.layout;
    place(this.root, { width: `${width}px` });
    this.root.setAttribute("data-theme", theme);
    this.reset.hidden = this.ranges.size === 0;
    this.root.classList.toggle("zoomed", this.ranges.size > 0);
    this.rectangle.hidden = true;
    this.pointer.take(marksOf(this.placed), width);
  }

  /** The page's width, but not so narrow that panels beside each other could not be read. */
  private width(): number {
    const own = this.figure.layout.width ?? 720;
    const panels = new Set(this.figure.data.map(({ xaxis }) => xaxis)).size;
    const least = panels > 1 && !this.figure.layout.meta?.panels ? 0.72 * own : 240;
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
    root.addEventListener("blur", () => this.pointer.hide());
    root.addEventListener("click", (event) => {
      const entry = (event.target as Element).closest<SVGElement>(".entry");
      if (entry) this.toggle(Number(entry.dataset.trace));
    });
  }

  private move(event: PointerEvent): void {
    const [x, y] = this.at(event);
    if (!this.drag) {
      this.pointer.at(x, y);
      return;
    }
    this.pointer.hide();
    const box = { left: Math.min(x, this.drag.x), top: Math.min(y, this.drag.y) };
    const size = { width: Math.abs(x - this.drag.x), height: Math.abs(y - this.drag.y) };
    const sides = Object.entries({ ...box, ...size }).map(([name, value]) => [name, `${value}px`]);
    place(this.rectangle, Object.fromEntries(sides));
    this.rectangle.hidden = false;
  }

  private press(event: PointerEvent): void {
    const [x, y] = this.at(event);
    const panel = zoomable(this.placed, x, y);
    // A finger that moves scrolls the page; it points by a tap.
    if (event.pointerType !== "touch" && event.button === 0 && panel) this.drag = { panel, x, y };
  }

  private release(event: PointerEvent): void {
    const { drag } = this;
    this.drag = undefined;
    if (!drag) this.move(event);
    else this.zoom(zoomTo(this.figure, this.ranges, drag.panel, [drag.x, drag.y, ...this.at(event)]));
  }

  private leave(): void {
    this.drag = undefined;
    this.rectangle.hidden = true;
    this.pointer.hide();
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

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const along = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const across = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (along !== undefined) this.pointer.step(along);
    else if (across !== undefined) this.pointer.acrossTraces(across);
    else if (event.key === "Escape") this.zoom(new Map());
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private at({ clientX, clientY }: PointerEvent): [number, number] {
    const { left, top } = this.root.getBoundingClientRect();
    return [clientX - left, clientY - top];
  }

  private svg(): string {
    return drawFigure(this.placed, { theme: isDark(this.host) ? "dark" : "light" });
  }
}

function button(text: string, title: string, press: () => void): HTMLElement {
  const element = make("button", { type: "button", title }, text);
  element.addEventListener("click", press);
  return element;
}
