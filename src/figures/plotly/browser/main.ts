import { unpack } from "../../browser/dom";
import { upgradeHosts } from "../../browser/upgrade";
import type { PlotlyFigure } from "../../spec";

interface Plotly {
  newPlot(host: HTMLElement, data: object, layout: object, config: object): Promise<unknown>;
}

const shared = globalThis as unknown as { Plotly?: Plotly; luvitPlotly?: Promise<Plotly> };

upgradeHosts("luvit-plotly", async (host) => {
  const { data, layout } = JSON.parse(host.querySelector(".luvit-figure")!.textContent!) as PlotlyFigure;
  const plotly = shared.Plotly ?? (await libraryOf(host));
  const box = document.createElement("div");
  host.append(box);
  await plotly.newPlot(box, data, layout, { displaylogo: false, responsive: true });
  host.querySelector("p")!.hidden = true;
});

/** Plotly is unpacked and run once for all figures of a page, though each brings it along. */
function libraryOf(host: HTMLElement): Promise<Plotly> {
  shared.luvitPlotly ??= load(host.querySelector(".luvit-plotly-library")!.textContent!).catch((error) => {
    shared.luvitPlotly = undefined;
    throw error;
  });
  return shared.luvitPlotly;
}

async function load(packed: string): Promise<Plotly> {
  const text = new TextDecoder().decode(await unpack(packed));
  const script = document.createElement("script");
  // Pages with a CommonJS `module` of their own would otherwise get it there.
  script.textContent = `((module) => {${text}})()`;
  document.body.append(script);
  return shared.Plotly!;
}
