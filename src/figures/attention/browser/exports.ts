import { makeCanvas, penOf } from "../../browser/dom";
import type { ThemeColors } from "./payload";

/** One panel as it goes into an exported picture. */
export interface DrawnPanel {
  title: string;
  lines: readonly string[];
  stage: HTMLCanvasElement;
  bar: HTMLCanvasElement;
  low: string;
  high: string;
  heads: readonly { canvas: HTMLCanvasElement; text: string }[];
}

const [side, gap, thumbnail] = [480, 28, 72];

/** Everything shown as one picture, twice the screen's resolution. */
export function drawAll(
  title: string,
  panels: readonly DrawnPanel[],
  theme: ThemeColors,
  font: string,
): HTMLCanvasElement {
  const perRow = Math.floor((side + 8) / (thumbnail + 8));
  const rows = Math.max(...panels.map(({ heads }) => Math.ceil(heads.length / perRow)));
  const width = gap + panels.length * (side + gap);
  const height = 210 + side + rows * (thumbnail + 26);
  const canvas = makeCanvas(2 * width, 2 * height);
  const pen = penOf(canvas);
  pen.scale(2, 2);
  pen.fillStyle = theme.background;
  pen.fillRect(0, 0, width, height);
  write(pen, title, [gap, 34], `600 17px ${font}`, theme.text);
  for (const [index, panel] of panels.entries()) {
    drawPanel(pen, panel, gap + index * (side + gap), perRow, theme, font);
  }
  return canvas;
}

function drawPanel(
  pen: CanvasRenderingContext2D,
  panel: DrawnPanel,
  left: number,
  perRow: number,
  theme: ThemeColors,
  font: string,
): void {
  write(pen, panel.title, [left, 62], `600 14px ${font}`, theme.text);
  pen.drawImage(panel.stage, left, 74, side, side);
  const below = 74 + side;
  pen.drawImage(panel.bar, left + 60, below + 12, side - 140, 10);
  write(pen, panel.low, [left, below + 22], `12px ${font}`, theme.muted);
  write(pen, panel.high, [left + side - 70, below + 22], `12px ${font}`, theme.muted);
  panel.lines.forEach((line, i) => {
    write(pen, line, [left, below + 44 + 17 * i], `12px ${font}`, theme.text);
  });
  for (const [head, { canvas, text }] of panel.heads.entries()) {
    const x = left + (head % perRow) * (thumbnail + 8);
    const y = below + 116 + Math.floor(head / perRow) * (thumbnail + 26);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(canvas, x, y, thumbnail, thumbnail);
    write(pen, text, [x, y + thumbnail + 14], `11px ${font}`, theme.muted);
  }
}

function write(
  pen: CanvasRenderingContext2D,
  text: string,
  [x, y]: [number, number],
  font: string,
  color: string,
): void {
  pen.font = font;
  pen.fillStyle = color;
  pen.fillText(text, x, y, side);
}
