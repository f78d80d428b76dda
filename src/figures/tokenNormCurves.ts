import { TokenNorms } from "../analysis/representations/tokenNorms";
import { checkOptions, instance, optionsOf } from "../core/options";
import { type Figure, figure } from "./figure";
import { formatNumber } from "./format";
import { label } from "./options";
import type { PlotlyTrace } from "./spec";
import { axis, baseLayout, seriesColor } from "./theme";
import { withStrength } from "./withStrength";

export interface TokenNormCurvesOptions {
  title?: string;
}

const curvesOptions = optionsOf<TokenNormCurvesOptions>({}, { title: label });

/**
 * Norms of all patches on their way through a model, from `analysis.tokenNorms`: their median, the range of nine in ten, and
 * the largest. Where the largest leaves the others behind, tokens stick out.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * luvit.show(luvit.figures.tokenNormCurves(await luvit.analysis.tokenNorms(model, images.take(4))));
 */
export function tokenNormCurves(result: TokenNorms, options: TokenNormCurvesOptions = {}): Figure {
  checkOptions("tokenNormCurves", instance(TokenNorms, "what analysis.tokenNorms gave"), result);
  checkOptions("tokenNormCurves", curvesOptions, options);
  const places = [...result.norms.keys()];
  const sorted = [...result.norms.values()].map((norms) => Float32Array.from(norms).sort());
  const at = (share: number) =>
    sorted.map((norms) => Number((norms[Math.round(share * (norms.length - 1))] ?? 0).toPrecision(6)));
  const x = places.map((_, i) => i);
  const customdata = places;
  const line = (name: string, y: number[], index: number, dash: "solid" | "dash"): PlotlyTrace => ({
    type: "scatter",
    mode: "lines+markers",
    name,
    x,
    y,
    customdata,
    line: { color: seriesColor(index), width: 2.2, dash },
    hovertemplate: `%{customdata}<br>${name} %{y:.4g}`,
  });
  const band: PlotlyTrace = {
    type: "scatter",
    mode: "lines",
    name: "9 in 10",
    showlegend: false,
    hoverinfo: "skip",
    x: [...x, ...[...x].reverse()],
    y: [...at(0.95), ...at(0.05).reverse()],
    line: { color: seriesColor(0), width: 0 },
    fill: "toself",
    fillcolor: withStrength(seriesColor(0), 0.18),
  };
  const data = [band, line("median (band: 9 in 10)", at(0.5), 0, "solid"), line("largest", at(1), 1, "dash")];
  const every = Math.ceil(places.length / 16);
  const shown = x.filter((i) => i % every === 0);
  const layout = {
    ...baseLayout(options.title ?? "", { legend: true, height: 420 }),
    xaxis: axis("place on the way", {
      tickvals: shown,
      ticktext: shown.map((i) => shortName(places[i]!)),
      tickangle: -45,
    }),
    yaxis: axis("norm of a patch token", { type: "log" }),
  };
  const last = sorted.at(-1)!;
  const told = [last[Math.round((last.length - 1) / 2)]!, last.at(-1)!].map(formatNumber);
  return figure(data, layout, `at ${places.at(-1)}: median ${told[0]}, largest ${told[1]}`);
}

/** "blocks.3.out" -> "block 3", "fusion.mapper1" -> "mapper1". */
function shortName(place: string): string {
  return place
    .replace(/^blocks\.(\d+)\.out$/, "block $1")
    .replace(/^llama\.layers\.(\d+)\.out$/, "llama $1")
    .replace(/^fusion\./, "");
}
