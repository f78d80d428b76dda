import { upgradeHosts } from "../../browser/upgrade";
import type { PlotlyFigure } from "../../figure";
import { Plot } from "./plot";

/** Brings every figure of the document to life that is not yet. */
export function start(): void {
  upgradeHosts("luvit-plot", async (host) => {
    const figure = JSON.parse(host.querySelector(".luvit-figure")!.textContent!) as PlotlyFigure;
    new Plot(host, figure).draw();
  });
}
