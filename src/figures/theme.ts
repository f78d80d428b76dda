import type { PlotlyAxis, PlotlyLayout, PlotlySymbol } from "./spec";

/** Series colors that stay apart for color-blind readers and are legible on white and on near-black. */
export const palette: readonly string[] = ["#2b7bba", "#e07b00", "#1a9e76", "#c8588f", "#8a6fd1", "#7d828c"];

/** What is wrong: numbers that are none, runs that ended before their end. */
export const badColor = "#d0404f";

/** How something goes on or has ended. */
export const stateColors = { running: palette[0]!, done: palette[2]!, stopped: badColor, failed: badColor };

/** The darker green that white letters are legible on. */
export const doneGround = "#157f5f";

/** The color of what is not a number. */
export const undefinedColor = "#808080";

/** Marker shapes in the order of the palette, so that series differ without color too. */
export const symbols: readonly PlotlySymbol[] = ["circle", "diamond", "square", "triangle-up"];

/** Colors of everything that is not data, for one background. */
export interface FigureTheme {
  background: string;
  text: string;
  muted: string;
  grid: string;
  axis: string;
  /** CSS filter over the series' colors. */
  series: string;
}

/** Light and dark; static images switch between them by the reader's preference. */
export const themes: { readonly light: FigureTheme; readonly dark: FigureTheme } = {
  light: {
    background: "#ffffff",
    text: "#1d2430",
    muted: "#667085",
    grid: "#e8ebf0",
    axis: "#b4bcc9",
    series: "none",
  },
  dark: {
    background: "#14171c",
    text: "#dfe4ec",
    muted: "#93a0b4",
    grid: "#272d37",
    axis: "#566173",
    series: "brightness(1.25)",
  },
};

/** Font of figures, the page's own. */
export const figureFont = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';

/** Reference lines and other marks that are not a series. */
export const neutralColor = "#8a919e";

/** Share of a category that its bars take together. */
export const barGroupWidth = 0.76;

/** The color of series `index`; the palette repeats after six. */
export function seriesColor(index: number): string {
  return palette[index % palette.length]!;
}

/** Size, margins, title and legend shared by all figures. */
export function baseLayout(
  title: string,
  size: { width?: number; height?: number; legend?: boolean; colorbar?: boolean } = {},
): PlotlyLayout {
  const lines = title === "" ? 0 : title.split("<br>").length;
  const layout: PlotlyLayout = {
    width: size.width ?? 720,
    height: size.height ?? 400,
    margin: { l: 64, r: size.colorbar ? 92 : 24, t: 22 + 22 * lines + (size.legend ? 26 : 0), b: 56 },
    showlegend: size.legend ?? false,
    legend: { orientation: "h", x: 0, xanchor: "left", y: 1.01, yanchor: "bottom" },
  };
  if (title !== "") layout.title = { text: title.replace(/^(.*?)(<br>|$)/, "<b>$1</b>$2") };
  return layout;
}

/** An axis with a title; units belong into it. */
export function axis(title: string, more: Partial<PlotlyAxis> = {}): PlotlyAxis {
  return { title: { text: title }, ...more };
}
