import type { PlotlyAnnotation, PlotlyAxis, PlotlyImage, PlotlyTrace } from "../spec";
import { badColor, palette } from "../theme";
import type { Shape, ShapeKind } from "./shapes";

/** An image with what was found in it. */
export interface DetectionPanel {
  readonly width: number;
  readonly height: number;
  /** A data URL. */
  readonly source: string;
  readonly shapes: readonly Shape[];
  readonly filled: boolean;
}

interface Look {
  readonly name: string;
  readonly color: string;
  readonly dash: "solid" | "dash" | "dot";
  readonly width: number;
}

/** Told apart by color and by line. */
const looks: Readonly<Record<ShapeKind, Look>> = {
  right: { name: "right", color: palette[2]!, dash: "solid", width: 2.4 },
  wrong: { name: "wrong", color: palette[1]!, dash: "dash", width: 2.4 },
  missed: { name: "missed", color: badColor, dash: "dot", width: 2.6 },
  crowd: { name: "crowd", color: palette[5]!, dash: "dot", width: 2 },
  ignored: { name: "found in a crowd", color: palette[0]!, dash: "solid", width: 1.6 },
  labeled: { name: "as labeled", color: palette[4]!, dash: "solid", width: 1.8 },
};

/** Less than this share of an image is too narrow for words. */
const NARROW = 0.1;
/** More words than these hide their image. */
const MOST_TAGS = 12;

/** The parts of a figure for one panel; `isFirst` tells whether a kind has not been in the legend yet. */
export function panelParts(panel: DetectionPanel, index: number, isFirst: (kind: ShapeKind) => boolean) {
  const suffix = index === 0 ? "" : String(index + 1);
  const on = { xaxis: `x${suffix}`, yaxis: `y${suffix}` };
  const drawn = panel.shapes.filter(({ kind }) => kind !== "labeled");
  const traces = [
    halo(drawn, on),
    ...panel.shapes.map((shape) => traceOf(shape, panel.filled, on, isFirst(shape.kind))),
  ];
  return {
    traces,
    image: imageOf(panel, suffix),
    tags: tagsOf(drawn, panel, suffix),
    axes: axesOf(panel, suffix),
  };
}

type On = { xaxis: string; yaxis: string };

/** Dark below all lines, so that they stand out from any image; there too where nothing was found. */
function halo(shapes: readonly Shape[], on: On): PlotlyTrace {
  const { x, y } = pathOf(shapes.flatMap(({ lines }) => lines));
  const line = { color: "#10131a", width: 4.6 };
  const look = { line, opacity: 0.45, hoverinfo: "skip", showlegend: false } as const;
  return { type: "scatter", mode: "lines", x, y, ...look, ...on };
}

function traceOf({ kind, lines, words }: Shape, isFilled: boolean, on: On, isNamed: boolean): PlotlyTrace {
  const { name, color, dash, width } = looks[kind];
  const channels = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  return {
    type: "scatter",
    mode: "lines",
    name,
    legendgroup: kind,
    showlegend: isNamed,
    ...pathOf(lines),
    line: { color, width, dash },
    fill: "toself",
    fillcolor: `rgba(${channels.join(", ")}, ${kind === "missed" || kind === "crowd" ? 0.18 : isFilled ? 0.34 : 0.08})`,
    hoveron: "fills",
    hoverinfo: "text",
    text: words,
    ...(kind === "labeled" && { visible: "legendonly" as const }),
    ...on,
  };
}

/** Closed lines one after the other, with a gap between them. */
function pathOf(lines: readonly (readonly number[])[]): { x: (number | null)[]; y: (number | null)[] } {
  const along = (start: 0 | 1) =>
    lines.flatMap((line, i) => {
      const values = line.filter((_, at) => at % 2 === start).map((value) => Number(value.toFixed(1)));
      return [...(i > 0 ? [null] : []), ...values, values[0]!];
    });
  return { x: along(0), y: along(1) };
}

function imageOf({ width, height, source }: DetectionPanel, suffix: string): PlotlyImage {
  const place = { x: 0, y: 0, sizex: width, sizey: height, sizing: "stretch", layer: "below" } as const;
  return { source, xref: `x${suffix}`, yref: `y${suffix}`, ...place };
}

function tagsOf(
  shapes: readonly Shape[],
  { width, height }: DetectionPanel,
  suffix: string,
): PlotlyAnnotation[] {
  const wide = shapes.filter(({ box }) => box[2] > NARROW * width && box[3] > NARROW * height);
  return wide.slice(0, MOST_TAGS).map(({ box, tag, kind }) => ({
    text: kind === "missed" ? `${tag} missed` : kind === "crowd" ? `${tag}, crowd` : tag,
    x: Math.min(width, Math.max(0, box[0])),
    y: Math.min(height, Math.max(0, box[1])),
    xref: `x${suffix}`,
    yref: `y${suffix}`,
    xanchor: "left",
    yanchor: box[1] > 0.1 * height ? "bottom" : "top",
    showarrow: false,
    font: { size: 10.5, color: "#ffffff" },
    bgcolor: looks[kind].color,
  }));
}

function axesOf({ width, height }: DetectionPanel, suffix: string): Record<string, PlotlyAxis> {
  const bare = { visible: false, showgrid: false, showticklabels: false, constrain: "domain" } as const;
  return {
    [`xaxis${suffix}`]: { ...bare, range: [0, width], anchor: `y${suffix}` },
    [`yaxis${suffix}`]: { ...bare, range: [height, 0], anchor: `x${suffix}`, scaleanchor: `x${suffix}` },
  };
}
