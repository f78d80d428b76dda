import { makeCanvas, penOf } from "../../browser/dom";
import type { Grid } from "./payload";

/** 256 RGB triples. */
export type ColorTable = Uint8Array;

export interface ColorTables {
  readonly attention: ColorTable;
  readonly entropy: ColorTable;
  readonly effect: ColorTable;
}

/** What is drawn over an image. */
export interface Overlay {
  /** One per token, the class token first. */
  values: Float32Array;
  range: readonly [number, number];
  table: ColorTable;
  /** How much the lowest values cover of the image, as a part of what the highest do. */
  veil: number;
  grid: Grid;
  strength: number;
  lines: boolean;
  /** Per patch 1 on the object; its border is drawn. */
  regions?: readonly number[] | undefined;
  /** Token with a frame around it, or around the block of step × step patches that it is in. */
  query?: number | undefined;
  step: number;
  pinned: boolean;
}

export function colorTable(base64: string): ColorTable {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

export function colorAt(
  table: ColorTable,
  value: number,
  range: readonly [number, number],
): [number, number, number] {
  const index = 3 * Math.round(255 * share(value, range));
  return [table[index]!, table[index + 1]!, table[index + 2]!];
}

/** Where a value stands in a range, 0 to 1. */
function share(value: number, [low, high]: readonly [number, number]): number {
  return high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 0;
}

/** An image that is drawn over, at the size of the stage: what stays the same while a pointer moves is drawn once. */
export class Backdrop {
  private readonly gray: HTMLCanvasElement;
  private readonly faded: HTMLCanvasElement;
  private readonly cells: HTMLCanvasElement;
  private strength = Number.NaN;

  constructor(
    private readonly image: HTMLCanvasElement,
    private readonly stage: HTMLCanvasElement,
    { rows, columns }: Grid,
  ) {
    this.gray = grayCopy(image);
    this.faded = makeCanvas(stage.width, stage.height);
    this.cells = makeCanvas(columns, rows);
  }

  /** The image, its colors faded as the overlay grows stronger, with a colored cell over every patch. */
  paint(overlay: Overlay): void {
    const pen = penOf(this.stage);
    const { width, height } = this.stage;
    const { grid } = overlay;
    this.fade(overlay.strength);
    pen.drawImage(this.faded, 0, 0);
    paintVeil(this.cells, overlay);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(this.cells, 0, 0, width, height);
    paintMarks(pen, overlay, width / grid.columns);
  }

  private fade(strength: number): void {
    if (strength === this.strength) return;
    this.strength = strength;
    const pen = penOf(this.faded);
    const { width, height } = this.faded;
    pen.imageSmoothingEnabled = this.image.width >= 160;
    pen.globalAlpha = 1;
    pen.drawImage(this.image, 0, 0, width, height);
    pen.globalAlpha = 0.8 * strength;
    pen.drawImage(this.gray, 0, 0, width, height);
  }
}

/** One pixel per patch. Faint colors let more of the image through, which would be hard to recognize otherwise. */
function paintVeil(cells: HTMLCanvasElement, { values, range, table, veil, strength }: Overlay): void {
  const pen = penOf(cells);
  const pixels = pen.createImageData(cells.width, cells.height);
  for (let patch = 0; patch < cells.width * cells.height; patch++) {
    const part = share(values[patch + 1]!, range);
    const index = 3 * Math.round(255 * part);
    for (let c = 0; c < 3; c++) pixels.data[4 * patch + c] = table[index + c]!;
    pixels.data[4 * patch + 3] = 255 * strength * (veil + (1 - veil) * part);
  }
  pen.putImageData(pixels, 0, 0);
}

function paintMarks(pen: CanvasRenderingContext2D, overlay: Overlay, cell: number): void {
  const { grid } = overlay;
  if (overlay.lines) paintLines(pen, grid, cell);
  if (overlay.regions) paintBorder(pen, overlay.regions, grid, cell);
  if (overlay.query) paintFrame(pen, overlay.query - 1, overlay, cell);
}

/** The image without its colors. */
function grayCopy(image: HTMLCanvasElement): HTMLCanvasElement {
  const { width, height } = image;
  const copy = makeCanvas(width, height);
  const pixels = penOf(image).getImageData(0, 0, width, height);
  for (let i = 0; i < pixels.data.length; i += 4) {
    const [r, g, b] = pixels.data.subarray(i, i + 3);
    pixels.data.fill(0.3 * r! + 0.59 * g! + 0.11 * b!, i, i + 3);
  }
  penOf(copy).putImageData(pixels, 0, 0);
  return copy;
}

/** One pixel per patch, for thumbnails. */
export function paintCells(
  canvas: HTMLCanvasElement,
  values: Float32Array,
  range: readonly [number, number],
  table: ColorTable,
): void {
  const pen = penOf(canvas);
  const pixels = pen.createImageData(canvas.width, canvas.height);
  for (let patch = 0; patch < values.length - 1; patch++) {
    const index = 3 * Math.round(255 * share(values[patch + 1]!, range));
    for (let c = 0; c < 3; c++) pixels.data[4 * patch + c] = table[index + c]!;
    pixels.data[4 * patch + 3] = 255;
  }
  pen.putImageData(pixels, 0, 0);
}

/** The color table from left to right. */
export function paintBar(canvas: HTMLCanvasElement, table: ColorTable): void {
  const pen = penOf(canvas);
  for (let x = 0; x < canvas.width; x++) {
    pen.fillStyle = `rgb(${colorAt(table, x, [0, canvas.width - 1]).join(",")})`;
    pen.fillRect(x, 0, 1, canvas.height);
  }
}

function paintLines(pen: CanvasRenderingContext2D, { rows, columns }: Grid, cell: number): void {
  pen.strokeStyle = "rgba(255,255,255,.22)";
  pen.lineWidth = 1;
  pen.beginPath();
  for (let line = 1; line < columns; line++) {
    pen.moveTo(Math.round(line * cell) + 0.5, 0);
    pen.lineTo(Math.round(line * cell) + 0.5, rows * cell);
  }
  for (let line = 1; line < rows; line++) {
    pen.moveTo(0, Math.round(line * cell) + 0.5);
    pen.lineTo(columns * cell, Math.round(line * cell) + 0.5);
  }
  pen.stroke();
}

/** The edges between object and other patches, white dashes on black: visible on every color. */
function paintBorder(
  pen: CanvasRenderingContext2D,
  regions: readonly number[],
  { rows, columns }: Grid,
  cell: number,
): void {
  const isObject = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < columns && y < rows && regions[y * columns + x] === 1;
  pen.beginPath();
  for (let y = 0; y <= rows; y++) {
    for (let x = 0; x <= columns; x++) {
      if (isObject(x, y) !== isObject(x - 1, y)) {
        pen.moveTo(x * cell, y * cell);
        pen.lineTo(x * cell, (y + 1) * cell);
      }
      if (isObject(x, y) !== isObject(x, y - 1)) {
        pen.moveTo(x * cell, y * cell);
        pen.lineTo((x + 1) * cell, y * cell);
      }
    }
  }
  strokeTwice(pen, 5, [cell / 5, cell / 5]);
}

function paintFrame(
  pen: CanvasRenderingContext2D,
  patch: number,
  { grid: { rows, columns }, step, pinned }: Overlay,
  cell: number,
): void {
  const first = (at: number) => Math.floor(at / step) * step;
  const [left, top] = [first(patch % columns), first(Math.floor(patch / columns))];
  const [x, y] = [left * cell, top * cell];
  const [right, bottom] = [Math.min(columns, left + step) * cell, Math.min(rows, top + step) * cell];
  pen.beginPath();
  const corners: [number, number][] = [
    [x, y],
    [right, y],
    [right, bottom],
    [x, bottom],
    [x, y],
    [right, y],
  ];
  corners.forEach(([cx, cy], i) => {
    if (i === 0) pen.moveTo(cx, cy);
    else pen.lineTo(cx, cy);
  });
  strokeTwice(pen, pinned ? 12 : 9, []);
}

function strokeTwice(pen: CanvasRenderingContext2D, width: number, dash: number[]): void {
  pen.lineWidth = width;
  pen.strokeStyle = "rgba(0,0,0,.85)";
  pen.stroke();
  pen.setLineDash(dash);
  pen.lineWidth = width / 2;
  pen.strokeStyle = "#ffffff";
  pen.stroke();
  pen.setLineDash([]);
}
