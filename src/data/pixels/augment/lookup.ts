import type { Canvas, Table } from "./canvas";

/* Operations that send every byte through a table, as Pillow's ImageOps do. */

function tableOf(value: (byte: number) => number): Table {
  const table = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) table[byte] = value(byte);
  return table;
}

/** Sends all channels through one table. */
export function lookUp(canvas: Canvas, value: (byte: number) => number): void {
  const table = tableOf(value);
  canvas.lookUp([table, table, table]);
}

/** Stretches each channel to 0 … 255; a channel of one value stays. */
export function autoContrast(canvas: Canvas): void {
  const [red, green, blue] = canvas.histograms().map((counts) => {
    const low = counts.findIndex((count) => count > 0);
    const high = counts.reduce((last, count, byte) => (count > 0 ? byte : last), 0);
    if (high <= low) return identity;
    const scale = 255 / (high - low);
    const offset = -low * scale;
    return tableOf((byte) => Math.min(255, Math.max(0, Math.trunc(byte * scale + offset))));
  });
  canvas.lookUp([red, green, blue]);
}

const identity = tableOf((byte) => byte);

/** Makes the values of each channel equally frequent, as far as whole steps allow. */
export function equalize(canvas: Canvas): void {
  const [red, green, blue] = canvas.histograms().map(equalizingTable);
  canvas.lookUp([red, green, blue]);
}

function equalizingTable(counts: Uint32Array): Table {
  const used = counts.filter((count) => count > 0);
  const step = Math.floor((used.reduce((a, b) => a + b, 0) - used[used.length - 1]) / 255);
  if (used.length <= 1 || step === 0) return identity;
  let below = Math.floor(step / 2);
  return tableOf((byte) => {
    const level = Math.min(255, Math.floor(below / step));
    below += counts[byte];
    return level;
  });
}

/** 255 - value. */
export function invert(canvas: Canvas): void {
  lookUp(canvas, (byte) => 255 - byte);
}

/** Keeps the highest `bits` (0 … 8) of every value. */
export function posterize(canvas: Canvas, bits: number): void {
  const mask = 256 - 2 ** (8 - bits);
  lookUp(canvas, (byte) => byte & mask);
}

/** Inverts values of at least `threshold`. */
export function solarize(canvas: Canvas, threshold: number): void {
  lookUp(canvas, (byte) => (byte < threshold ? byte : 255 - byte));
}

/** Adds `amount` to values below 128, up to 255. */
export function solarizeAdd(canvas: Canvas, amount: number): void {
  lookUp(canvas, (byte) => (byte < 128 ? Math.min(255, byte + amount) : byte));
}
