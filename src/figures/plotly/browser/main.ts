import { type Element, page } from "../../browser/dom";
import { upgradeHosts } from "../../browser/upgrade";
import type { PlotlyFigure } from "../../figure";

interface Plotly {
  newPlot(host: Element, data: object, layout: object, config: object): Promise<unknown>;
}

const shared = globalThis as unknown as {
  Plotly?: Plotly;
  Uint8Array: { from(text: string, code: (letter: string) => number): Uint8Array };
};

/** Has Plotly draw every figure of the document that it has not drawn yet. */
export function start(): void {
  upgradeHosts("luvit-plotly", async (host) => {
    const { data, layout } = JSON.parse(host.querySelector(".luvit-figure")!.textContent!) as PlotlyFigure;
    const plotly = shared.Plotly ?? (await load(host.querySelector(".luvit-plotly-library")!.textContent!));
    const box = page.document.createElement("div");
    host.append(box);
    await plotly.newPlot(box, data, layout, { displaylogo: false, responsive: true });
    host.querySelector("p")!.hidden = true;
  });
}

async function load(packed: string): Promise<Plotly> {
  const bytes = shared.Uint8Array.from(page.atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new page.Blob([bytes]).stream().pipeThrough(new page.DecompressionStream!("gzip"));
  const text = new TextDecoder().decode(await new page.Response(stream).arrayBuffer());
  const script = page.document.createElement("script");
  // Pages with a CommonJS `module` of their own would otherwise get it there.
  script.textContent = `((module) => {${text}})()`;
  page.document.body.append(script);
  return shared.Plotly!;
}
