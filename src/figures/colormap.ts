/** A color map: 0..1 to red, green, blue in 0..255. */
export type ColormapName = "viridis" | "magma" | "coolwarm";

/**
 * Colors at equal distances. Lightness rises evenly along viridis and magma, so equal steps look equal; coolwarm is for
 * values around zero: blue below, gray at zero, red above.
 * Reference: K. Moreland, Diverging color maps for scientific visualization, 2009 (coolwarm).
 */
const controlColors: Record<ColormapName, readonly string[]> = {
  viridis: [
    "#440154",
    "#482878",
    "#3e4a89",
    "#31688e",
    "#26828e",
    "#1f9e89",
    "#35b779",
    "#6dcd59",
    "#b4de2c",
    "#fde725",
  ],
  magma: [
    "#000004",
    "#180f3d",
    "#440f76",
    "#721f81",
    "#9e2f7f",
    "#cd4071",
    "#f1605d",
    "#fd9668",
    "#feca8d",
    "#fcfdbf",
  ],
  coolwarm: [
    "#3b4cc0",
    "#5a77e3",
    "#7c9ff9",
    "#9fbeff",
    "#c0d4f5",
    "#dddddd",
    "#f2cbb7",
    "#f7ad8f",
    "#ee8568",
    "#d75344",
    "#b40426",
  ],
};

const tableSize = 256;
const tables = new Map<ColormapName, Uint8Array>();

/** The map as a table of 256 RGB triples. */
export function colormapTable(name: ColormapName): Uint8Array {
  let table = tables.get(name);
  if (!table) {
    table = interpolate(controlColors[name].map(parseHex));
    tables.set(name, table);
  }
  return table;
}

/** The color of a value in 0..1; values outside are clamped, not-a-number is mid gray. */
export function colormap(name: ColormapName, value: number): [number, number, number] {
  if (Number.isNaN(value)) return [128, 128, 128];
  const table = colormapTable(name);
  const index = 3 * Math.round(Math.min(1, Math.max(0, value)) * (tableSize - 1));
  return [table[index]!, table[index + 1]!, table[index + 2]!];
}

/** The map as Plotly writes color scales. */
export function plotlyColorscale(name: ColormapName): [number, string][] {
  const colors = controlColors[name];
  return colors.map((color, index) => [index / (colors.length - 1), color]);
}

/** `#rrggbb` as numbers. */
export function parseHex(color: string): [number, number, number] {
  const value = Number.parseInt(color.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

function interpolate(colors: readonly [number, number, number][]): Uint8Array {
  const table = new Uint8Array(3 * tableSize);
  for (let index = 0; index < tableSize; index++) {
    const position = (index / (tableSize - 1)) * (colors.length - 1);
    const left = Math.min(Math.floor(position), colors.length - 2);
    for (let channel = 0; channel < 3; channel++) {
      const [from, to] = [colors[left]![channel]!, colors[left + 1]![channel]!];
      table[3 * index + channel] = Math.round(from + (to - from) * (position - left));
    }
  }
  return table;
}
