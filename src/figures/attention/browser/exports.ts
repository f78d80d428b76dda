import { make, makeCanvas, penOf } from "../../browser/dom";
import type { ThemeColors } from "./payload";

/** One panel as it goes into an exported image. */
export interface DrawnPanel {
  title: string;
  lines: readonly string[];
  stage: HTMLCanvasElement;
  bar: HTMLCanvasElement;
  low: string;
  high: string;
  heads: readonly { canvas: HTMLCanvasElement; text: string }[];
}

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** An image or words at their place, in pixels. */
type Item =
  | ({ canvas: HTMLCanvasElement; isPixelated?: boolean } & Box)
  | { text: string; x: number; y: number; size: number; color: string; bold?: boolean };

/** Everything that a viewer shows, to be written as PNG or as SVG. */
export interface Drawing {
  width: number;
  height: number;
  background: string;
  font: string;
  items: readonly Item[];
}

const [side, gap, thumbnail] = [480, 28, 72];

export function drawingOf(
  title: string,
  panels: readonly DrawnPanel[],
  theme: ThemeColors,
  font: string,
): Drawing {
  const perRow = Math.floor((side + 8) / (thumbnail + 8));
  const rows = Math.max(...panels.map(({ heads }) => Math.ceil(heads.length / perRow)));
  const heading = { text: title, x: gap, y: 34, size: 17, color: theme.text, bold: true };
  const drawn = panels.map((panel, index) => panelItems(panel, gap + index * (side + gap), perRow, theme));
  const stage = Math.max(...panels.map((panel) => within(panel.stage, side).height));
  const head = Math.max(
    ...panels.flatMap(({ heads }) => heads.map(({ canvas }) => within(canvas, thumbnail).height)),
    0,
  );
  return {
    width: gap + panels.length * (side + gap),
    height: 210 + stage + rows * (head + 26),
    background: theme.background,
    font,
    items: [heading, ...drawn.flat()],
  };
}

/** The size that an image takes in a square. */
function within({ width, height }: { width: number; height: number }, room: number) {
  const scale = room / Math.max(width, height);
  return { width: width * scale, height: height * scale };
}

function panelItems(panel: DrawnPanel, left: number, perRow: number, { text, muted }: ThemeColors): Item[] {
  const stage = within(panel.stage, side);
  const below = 74 + stage.height;
  const words = (content: string, x: number, y: number, size = 12, color = muted, bold = false): Item => ({
    ...{ text: content, x, y, size, color, bold },
  });
  return [
    words(panel.title, left, 62, 14, text, true),
    { canvas: panel.stage, x: left + (side - stage.width) / 2, y: 74, ...stage },
    { canvas: panel.bar, x: left + 60, y: below + 12, width: side - 140, height: 10 },
    words(panel.low, left, below + 22),
    words(panel.high, left + side - 70, below + 22),
    ...panel.lines.map((line, i) => words(line, left, below + 44 + 17 * i, 12, text)),
    ...panel.heads.flatMap(({ canvas, text: caption }, head): Item[] => {
      const x = left + (head % perRow) * (thumbnail + 8);
      const size = within(canvas, thumbnail);
      const y = below + 116 + Math.floor(head / perRow) * (size.height + 26);
      return [{ canvas, isPixelated: true, x, y, ...size }, words(caption, x, y + size.height + 14, 11)];
    }),
  ];
}

/** The drawing at twice the screen's resolution. */
export function toCanvas({ width, height, background, font, items }: Drawing): HTMLCanvasElement {
  const canvas = makeCanvas(2 * width, 2 * height);
  const pen = penOf(canvas);
  pen.scale(2, 2);
  pen.fillStyle = background;
  pen.fillRect(0, 0, width, height);
  for (const item of items) {
    if ("canvas" in item) {
      pen.imageSmoothingEnabled = !item.isPixelated;
      pen.drawImage(item.canvas, item.x, item.y, item.width, item.height);
    } else {
      pen.font = `${item.bold ? "600 " : ""}${item.size}px ${font}`;
      pen.fillStyle = item.color;
      pen.fillText(item.text, item.x, item.y, side);
    }
  }
  return canvas;
}

/** The drawing as SVG: its words are words. */
export function toSvg({ width, height, background, font, items }: Drawing): string {
  const place = make("div");
  place.innerHTML = "<svg></svg>";
  const svg = place.firstElementChild!;
  const add = (parent: Element, tag: string, attributes: object, text = "") => {
    const element = document.createElementNS(svg.namespaceURI, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    element.textContent = text;
    parent.append(element);
  };
  const size = { width, height };
  for (const [name, value] of Object.entries({
    ...size,
    viewBox: `0 0 ${width} ${height}`,
    "font-family": font,
  }))
    svg.setAttribute(name, String(value));
  add(svg, "rect", { ...size, fill: background });
  for (const item of items) {
    if ("canvas" in item) {
      const { canvas, isPixelated, ...box } = item;
      const look = isPixelated ? { style: "image-rendering:pixelated" } : {};
      const href = canvas.toDataURL("image/png");
      add(svg, "image", { ...box, preserveAspectRatio: "none", href, ...look });
    } else {
      const { text, x, y, size: letters, color, bold } = item;
      const weight = bold ? { "font-weight": 600 } : {};
      add(svg, "text", { x, y, "font-size": letters, fill: color, ...weight }, text);
    }
  }
  return new XMLSerializer().serializeToString(svg);
}
