import { Faithfulness } from "../analysis/relevance/faithfulnessTable";
import { groupBy } from "../core/groupBy";
import { checkOptions, instance, optionsOf } from "../core/options";
import { type Figure, figure } from "./figure";
import { label } from "./options";
import type { PanelGrid, PlotlyAxis, PlotlyTrace } from "./spec";
import { arrangePanels } from "./svg/panelGrid";
import { baseLayout, seriesColor } from "./theme";
import { withStrength } from "./withStrength";

export interface FaithfulnessCurvesOptions {
  title?: string;
}

const curvesOptions = optionsOf<FaithfulnessCurvesOptions>({}, { title: label });

interface Point {
  readonly method: string;
  readonly curve: string;
  readonly share: number;
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
}

/**
 * Deletion and insertion curves of `analysis.faithfulness`, a line per method with the 95 % interval of its mean: a map that
 * finds the evidence falls fast on the left and rises fast on the right.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const found = await luvit.analysis.faithfulness(model, images.take(2), { methods: ["chefer", "rollout"] });
 * luvit.show(luvit.figures.faithfulnessCurves(found));
 */
export function faithfulnessCurves(result: Faithfulness, options: FaithfulnessCurvesOptions = {}): Figure {
  checkOptions("faithfulnessCurves", instance(Faithfulness, "what analysis.faithfulness gave"), result);
  checkOptions("faithfulnessCurves", curvesOptions, options);
  const points = result.curves.toArray().map((row) => row.toJSON() as Point);
  const methods = [...groupBy(points, ({ method }) => method)];
  const kinds = ["deletion", "insertion"] as const;
  const data = kinds.flatMap((kind, panel) =>
    methods.flatMap(([method, own], index) =>
      lineOf(
        method,
        own.filter(({ curve }) => curve === kind),
        index,
        panel,
      ),
    ),
  );
  const axes: Record<string, PlotlyAxis> = {};
  for (const suffix of ["", "2"]) {
    axes[`xaxis${suffix}`] = { range: [0, 100], anchor: `y${suffix}` };
    axes[`yaxis${suffix}`] = { range: [0, 100], anchor: `x${suffix}` };
  }
  const base = baseLayout(options.title ?? "", { legend: methods.length > 1 });
  const panels: PanelGrid = {
    titles: ["deletion: lower is better", "insertion: higher is better"],
    xTitle: "pixels changed, most relevant first (%)",
    yTitle: "probability of the class (%)",
    ratio: 0.75,
    panelWidth: [220, 420],
    gap: 48,
    columns: 2,
    margin: base.margin!,
  };
  return figure(data, arrangePanels({ ...base, ...axes }, panels, 880), summaryOf(result), panels);
}

/** The band of the interval, where there is one, and the line over it. */
function lineOf(method: string, points: readonly Point[], index: number, panel: number): PlotlyTrace[] {
  const color = seriesColor(index);
  const suffix = panel === 0 ? "" : "2";
  const shared = {
    type: "scatter" as const,
    legendgroup: method,
    xaxis: `x${suffix}`,
    yaxis: `y${suffix}`,
  };
  const x = points.map(({ share }) => percent(share));
  const lines: PlotlyTrace = {
    ...shared,
    mode: "lines",
    name: method,
    showlegend: panel === 0,
    x,
    y: points.map(({ mean }) => percent(mean)),
    line: { color, width: 2.2, dash: (["solid", "dash", "dot"] as const)[index % 3]! },
    hovertemplate: `${method}<br>%{x} %: %{y:.1f} %`,
  };
  if (points.some(({ low }) => low === null)) return [lines];
  const [high, low] = (["high", "low"] as const).map((end) => points.map((point) => percent(point[end]!)));
  const band: PlotlyTrace = {
    ...shared,
    mode: "lines",
    name: `${method}, 95 %`,
    showlegend: false,
    hoverinfo: "skip",
    x: [...x, ...[...x].reverse()],
    y: [...high!, ...[...low!].reverse()].map((value) => Math.min(100, Math.max(0, value))),
    line: { color, width: 0 },
    fill: "toself",
    fillcolor: withStrength(color, 0.16),
  };
  return [band, lines];
}

const percent = (share: number) => Number((100 * share).toPrecision(5));

function summaryOf(result: Faithfulness): string {
  const rows = result.summary.toArray().map((row) => row.toJSON());
  const told = rows
    .filter(({ measure }) => measure === "deletion" || measure === "insertion")
    .map(({ method, measure, mean }) => `${method} ${measure} ${Number(mean).toFixed(3)}`);
  return `area under the curves: ${told.join(", ")}`;
}
