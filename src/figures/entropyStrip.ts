import { mean } from "../core/mean";
import { checkOptions, list, object, optionsOf } from "../core/options";
import { type Figure, figure } from "./figure";
import { formatNumber } from "./format";
import { label, numbers, side } from "./options";

import type { PlotlyTrace } from "./spec";
import { axis, baseLayout, seriesColor } from "./theme";

/** Attention entropy of each head of one block. */
export interface BlockEntropy {
  block: string;
  /** Nats, one per head. */
  heads: readonly number[];
}

/** What `entropyStrip` draws: one color per series, for instance per model. */
export interface EntropyStripOptions {
  series: readonly { name: string; blocks: readonly BlockEntropy[] }[];
  title?: string;
  yTitle?: string;
  width?: number;
  height?: number;
}

export const entropyStripOptions = optionsOf<EntropyStripOptions>(
  { series: list(object({ name: label, blocks: list(object({ block: label, heads: numbers }, {})) }, {})) },
  { title: label, yTitle: label, width: side, height: side },
);

/** Entropy per block: a dot for every head, a line through the means. */
export function entropyStrip(options: EntropyStripOptions): Figure {
  checkOptions("entropyStrip", entropyStripOptions, options);
  const { series, title = "", yTitle = "attention entropy (nats)" } = options;
  const names = [...new Set(series.flatMap(({ blocks }) => blocks.map(({ block }) => block)))];
  const data = series.flatMap((model, index) => stripTraces(model, index, series.length, names));
  const layout = {
    ...baseLayout(title, { width: options.width, height: options.height, legend: series.length > 1 }),
    xaxis: axis("block", {
      range: [-0.6, names.length - 0.4],
      tickvals: names.map((_, index) => index),
      ticktext: names,
      showgrid: false,
    }),
    yaxis: axis(yTitle),
  };
  const summary = series.map(
    ({ name, blocks }) =>
      `${name} ${blocks.map(({ block, heads }) => `${block} ${formatNumber(mean(heads))}`).join(", ")} nats`,
  );
  return figure(data, layout, summary.join("; "));
}

function stripTraces(
  model: EntropyStripOptions["series"][number],
  index: number,
  count: number,
  names: string[],
): PlotlyTrace[] {
  const color = seriesColor(index);
  const shift = (index - (count - 1) / 2) * 0.22;
  const at = (block: string) => names.indexOf(block) + shift;
  const shared = { type: "scatter" as const, legendgroup: model.name };
  const dots = model.blocks.flatMap(({ block, heads }) =>
    heads.map((value, head) => ({ x: at(block), y: value, text: `${block}, head ${head + 1}` })),
  );
  return [
    {
      ...shared,
      name: `${model.name}, heads`,
      mode: "markers",
      showlegend: false,
      x: dots.map(({ x }) => x),
      y: dots.map(({ y }) => y),
      text: dots.map(({ text }) => text),
      hovertemplate: "%{text}: %{y:.3f} nats",
      marker: { color, size: 6 },
      opacity: 0.6,
    },
    {
      ...shared,
      name: model.name,
      mode: "lines+markers",
      x: model.blocks.map(({ block }) => at(block)),
      y: model.blocks.map(({ heads }) => mean(heads)),
      hovertemplate: "mean %{y:.3f} nats",
      line: { color, width: 2.2 },
      marker: { color, size: 8, symbol: "diamond" },
    },
  ];
}
