import { make, makeCanvas, penOf } from "../../browser/dom";
import { isDark, onThemeChange } from "../../browser/pageTheme";
import { mapStart, movedPatch, type PatchHeader, percent } from "./header";
import { patchStyle } from "./style";

const side = 400;

/** An image under numbers of its patches: what is shown is chosen by pointer, touch or keys. */
export class PatchView {
  private readonly chosen: number[];
  private readonly stage: HTMLCanvasElement;
  private readonly bar = makeCanvas(256, 1, { class: "bar" });
  private readonly most = make("span");
  private readonly readout = make("p", { class: "readout", "aria-live": "polite" });
  private readonly root: HTMLElement;
  private readonly table: Uint8Array;
  private patch: number | undefined;
  private oneScale = false;

  constructor(
    private readonly host: HTMLElement,
    private readonly header: PatchHeader,
    private readonly values: Float32Array,
    private readonly image: HTMLImageElement,
  ) {
    const { title, hint, axes, grid, start, colors } = header;
    this.table = Uint8Array.from(atob(colors), (letter) => letter.charCodeAt(0));
    this.chosen = [...start];
    const height = Math.round((side * grid.rows) / grid.columns);
    this.stage = makeCanvas(2 * side, 2 * height, { class: "stage", tabindex: "0", role: "img" });
    this.root = make("div", { class: "patches" }, make("h3", {}, title), make("p", { class: "hint" }, hint));
    this.root.append(...axes.map((_, axis) => this.choices(axis)), this.stage);
    this.root.append(
      make("div", { class: "scale" }, "0", this.bar, this.most),
      this.scaleBox(),
      this.readout,
    );
    this.host.attachShadow({ mode: "open" }).append(make("style", {}, patchStyle), this.root);
    this.listen();
    this.setTheme();
    onThemeChange(() => this.setTheme());
    this.draw();
  }

  private choices(axis: number): HTMLElement {
    const { name, choices } = this.header.axes[axis]!;
    const group = `${name}-${Math.random()}`;
    const labels = choices.map((choice, i) => {
      const input = make("input", { type: "radio", name: group });
      input.checked = i === this.chosen[axis];
      input.addEventListener("change", () => {
        this.chosen[axis] = i;
        this.draw();
      });
      return make("label", {}, input, make("span", {}, choice));
    });
    return make("fieldset", {}, make("legend", {}, name), make("div", { class: "choices" }, ...labels));
  }

  private scaleBox(): HTMLElement {
    const input = make("input", { type: "checkbox" });
    input.addEventListener("change", () => {
      this.oneScale = input.checked;
      this.draw();
    });
    return make("label", { class: "check" }, input, "one scale for all that can be chosen");
  }

  private listen(): void {
    const point = (event: PointerEvent) => this.point(this.patchAt(event));
    this.stage.addEventListener("pointermove", point);
    this.stage.addEventListener("pointerdown", point);
    this.stage.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") this.point(undefined);
    });
    this.stage.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const moved = movedPatch(this.patch ?? 0, event.key, this.header.grid);
      if (moved === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      this.point(this.patch === undefined ? 0 : moved);
    });
  }

  private patchAt({ offsetX, offsetY }: PointerEvent): number {
    const { rows, columns } = this.header.grid;
    const { clientWidth, clientHeight } = this.stage;
    const cell = (at: number, size: number, count: number) =>
      Math.min(count - 1, Math.max(0, Math.floor((at / size) * count)));
    return cell(offsetY, clientHeight, rows) * columns + cell(offsetX, clientWidth, columns);
  }

  private point(patch: number | undefined): void {
    if (patch === this.patch) return;
    this.patch = patch;
    this.draw();
  }

  private map(): Float32Array {
    const { rows, columns } = this.header.grid;
    const start = mapStart(this.header, this.chosen);
    return this.values.subarray(start, start + rows * columns);
  }

  private draw(): void {
    const map = this.map();
    const highest = (this.oneScale ? this.values : map).reduce((a, b) => Math.max(a, b), 0);
    this.paint(map, highest || 1);
    const bar = penOf(this.bar);
    for (let x = 0; x < 256; x++) {
      bar.fillStyle = this.color(x / 255);
      bar.fillRect(x, 0, 1, 1);
    }
    this.most.textContent = percent(highest);
    this.readout.textContent = this.words(map);
    this.stage.setAttribute("aria-label", this.words(map));
  }

  private words(map: Float32Array): string {
    const { axes, unit, sum, grid } = this.header;
    const what = axes.map(({ name, choices }, axis) => `${name} ${choices[this.chosen[axis]!]}`).join(", ");
    const total = sum ? ` ${percent(map.reduce((a, b) => a + b, 0))} ${sum}.` : "";
    const strongest = map.indexOf(map.reduce((a, b) => Math.max(a, b)));
    const place = (patch: number) =>
      `row ${Math.floor(patch / grid.columns) + 1}, column ${(patch % grid.columns) + 1}`;
    const most = ` Most: ${percent(map[strongest]!)} at ${place(strongest)}.`;
    const here =
      this.patch === undefined ? "" : ` Here, ${place(this.patch)}: ${percent(map[this.patch]!)} ${unit}.`;
    return `${what}.${total}${most}${here}`;
  }

  private paint(map: Float32Array, highest: number): void {
    const pen = penOf(this.stage);
    const { width, height } = this.stage;
    const { rows, columns } = this.header.grid;
    const [w, h] = [width / columns, height / rows];
    pen.globalAlpha = 1;
    pen.imageSmoothingEnabled = this.image.naturalWidth >= 160;
    pen.filter = "grayscale(0.85)";
    pen.drawImage(this.image, 0, 0, width, height);
    pen.filter = "none";
    for (const [patch, value] of map.entries()) {
      const share = Math.min(1, value / highest);
      pen.globalAlpha = 0.3 + 0.45 * share;
      pen.fillStyle = this.color(share);
      pen.fillRect((patch % columns) * w, Math.floor(patch / columns) * h, w, h);
    }
    pen.globalAlpha = 1;
    if (this.patch === undefined) return;
    const corner = [(this.patch % columns) * w, Math.floor(this.patch / columns) * h] as const;
    for (const [color, line] of [
      ["#000000", 10],
      ["#ffffff", 5],
    ] as const) {
      pen.strokeStyle = color;
      pen.lineWidth = line;
      pen.strokeRect(corner[0] + 5, corner[1] + 5, w - 10, h - 10);
    }
  }

  private color(share: number): string {
    const at = 3 * Math.round(255 * share);
    return `rgb(${this.table[at]},${this.table[at + 1]},${this.table[at + 2]})`;
  }

  private setTheme(): void {
    const dark = isDark(this.host);
    const own = dark ? { accent: "#2b79b8", focus: "#8cc6f5" } : { accent: "#2470ad", focus: "#8abbe3" };
    const colors = { ...(dark ? this.header.themes.dark : this.header.themes.light), ...own };
    for (const [name, value] of Object.entries({ ...colors, font: this.header.font }))
      this.root.style.setProperty(`--${name}`, value);
  }
}
