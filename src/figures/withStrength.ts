import { parseHex } from "./colormap";

/** A color of the palette as Plotly and the SVG renderer take it for what lines enclose. */
export function withStrength(color: string, strength: number): string {
  return `rgba(${parseHex(color).join(",")},${strength})`;
}
