import { upgradeHosts } from "../../browser/upgrade";
import type { PlotlyFigure } from "../../spec";
import { Plot } from "./plot";

upgradeHosts("luvit-plot", async (host) => {
  const figure = JSON.parse(host.querySelector(".luvit-figure")!.textContent!) as PlotlyFigure;
  new Plot(host, figure).draw();
});
