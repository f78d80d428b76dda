import type { PlotlyFigure } from "../../../src/figures";
import { figureBundle } from "../../../src/figures/figureBundle";
import { plotlyHtml } from "../../../src/figures/plotly/plotlyHtml";
import { highlight } from "../../../src/notebook/highlight";
import { LiveSuiteView } from "../../../src/notebook/liveParts";
import { LiveRunView } from "../../../src/notebook/liveView";
import { renderMarkdown } from "../../../src/notebook/markdown";
import type { CellOutput, MimeBundle, NotebookCell } from "../../../src/notebook/nbformat";
import { renderPage } from "../../../src/notebook/page";
import { ProgressBar } from "../../../src/notebook/progressBar";
import { safeHtml } from "../../../src/notebook/safeMarkup";

/** Where text of strangers stands in a page, and the page's HTML with the text there. */
export type Pages = Readonly<Record<string, (text: string) => string | Promise<string>>>;

/** Displays of what goes on. */
export const live: Pages = {
  "a live run": (text) => new LiveRunView(run(text, 3)).html(),
  "a live run whose log had no finite numbers": (text) => new LiveRunView(run(text, Number.NaN)).html(),
  "a run that failed": (text) => {
    const view = new LiveRunView(run(text, 3));
    view.end("failed", new Error(text));
    return view.html();
  },
  "a live suite": (text) => suite(text, 3).html(),
  "a live suite whose numbers are texts": (text) => suite(text, text).html(),
  "a progress bar": (text) => {
    const bar = new ProgressBar({ label: text, total: 3 });
    bar.end("failed", new Error(text));
    return bar.html();
  },
};

/** Figures that others made as Plotly JSON, drawn here and by Plotly itself. */
export const figures: Pages = {
  "a figure that is drawn here": async (text) =>
    String((await figureBundle(foreign(text, "scatter")))["text/html"]),
  "bars that are drawn here": async (text) => String((await figureBundle(foreign(text, "bar")))["text/html"]),
  "a figure with a text for its height": (text) =>
    plotlyHtml({ data: [], layout: { height: text } } as unknown as PlotlyFigure),
};

/** The same drawn by Plotly, whose megabytes are loaded once for all texts. */
export const byPlotly: Pages = {
  "a histogram and a pie": (text) => plotlyHtml(foreign(text, "histogram", "pie")),
  "images of a figure": (text) => plotlyHtml(withImages(text)),
};

/** Notebooks that others wrote, and what their cells print, on the page that `luvit run` writes. */
export const notebooks: Pages = {
  "text of a Markdown cell": (text) => renderMarkdown(text),
  "addresses in Markdown": (text) =>
    renderMarkdown(
      `[a](<${text}>) [b](${text}) ![c](<${text}> "${text}") [d][x] <${text}>\n\n[x]: <${text}> '${text}'`,
    ),
  "words of a link, an image and a heading": (text) =>
    renderMarkdown(`## ${text}\n\n[${text}](a) ![${text}](b.png "${text}")`),
  "code in Markdown": (text) =>
    renderMarkdown(`\`${text}\`\n\n\`\`\`${text}\n${text}\n\`\`\`\n\n    ${text}`),
  formulas: (text) => renderMarkdown(`$${text}$ and $\\text{${text}}$ and $$\n${text}\n$$`),
  "formulas where no formula can stand": (text) =>
    renderMarkdown(
      `[x](http://a/$y$"${text}) ![$y$ ${text}](b.png) <b title="$y$ ${text}">z</b> \u00010\u0001 \u00019\u0001`,
    ),
  "HTML in Markdown": (text) =>
    renderMarkdown(`<b title="${text}" ${text}>${text}</b>\n\n<div>\n${text}\n</div>`),
  "tables in Markdown": (text) => renderMarkdown(`| ${text} | b |\n|---|---|\n| ${text} | ${text} |`),
  "images attached to a cell": (text) =>
    renderMarkdown("![x](attachment:a) ![y](attachment:b)", {
      a: { [text]: text },
      b: { "image/png": text },
    }),
  "harmless HTML": (text) =>
    safeHtml(text) + safeHtml(`<a href="${text}">x</a><img src='${text}' alt="${text}">`),
  "source of a cell": (text) => highlight(`const x = ${text} // ${text}\n"${text}" \`${text}\``),
  "a notebook's page": (text) => page(text),
};

function run(text: string, number: number) {
  const record = { step: number, epoch: number, loss: number, lr: number, imagesPerSecond: number } as never;
  return {
    ...{
      name: text,
      totalSteps: number as number,
      epochs: 2,
      state: "done" as const,
      engine: text,
      notes: [text],
    },
    history: [record, Object.assign({ [text]: number }, record)] as never,
    report: { count: 1, toString: () => text },
    done: Promise.resolve(),
    onRecord: () => () => {},
  };
}

function suite(text: string, number: unknown): LiveSuiteView {
  const part = { key: text, data: text, state: "running", total: number, done: number, kept: 0 } as never;
  const metric = { data: text, metric: text, value: 3, images: number, paper: { ViT: number } } as never;
  const view = new LiveSuiteView({
    ...{ name: text, parts: [part, part], metrics: [metric], engine: text, state: "failed" as const },
    done: Promise.resolve(),
    onProgress: () => () => {},
  });
  view.end(new Error(text));
  return view;
}

function foreign(text: string, ...types: string[]): PlotlyFigure {
  const trace = (type: string) => ({
    ...{
      type,
      name: text,
      x: [1, 2, text],
      y: [3, 4, 5],
      text: [text],
      hovertext: text,
      hovertemplate: text,
    },
    ...{
      labels: [text, "b"],
      values: [1, 2],
      customdata: [text],
      texttemplate: text,
      legendgroup: text,
      meta: text,
    },
    ...{ line: { color: text, width: text, dash: text }, marker: { color: text, size: text, symbol: text } },
    ...{
      opacity: text,
      textposition: text,
      mode: "lines+markers+text",
      hoverlabel: { font: { family: text } },
    },
    ...{ error_y: { array: [text] }, colorscale: text, legendgrouptitle: { text } },
  });
  const axis = {
    title: { text, font: { color: text, family: text, size: text } },
    tickangle: text,
    ticktext: [text],
    tickvals: [1],
  };
  const annotation = {
    text,
    x: 0,
    y: 0,
    xref: "paper",
    yref: "paper",
    hovertext: text,
    font: { color: text, family: text },
    bgcolor: text,
  };
  const layout = {
    ...{
      title: { text, font: { family: text, color: text } },
      showlegend: true,
      width: text,
      margin: { l: text, t: text },
    },
    ...{
      xaxis: axis,
      yaxis: axis,
      annotations: [annotation],
      meta: { summary: text },
      font: { family: text, color: text },
    },
    ...{
      paper_bgcolor: text,
      plot_bgcolor: text,
      legend: { title: { text }, bgcolor: text },
      colorway: [text],
      separators: text,
    },
    ...{
      shapes: [{ type: "path", path: text, fillcolor: text }],
      updatemenus: [{ buttons: [{ label: text, method: text }] }],
    },
    ...{ coloraxis: { colorbar: { title: { text } }, colorscale: text }, modebar: { bgcolor: text } },
  };
  return { data: types.map(trace), layout } as unknown as PlotlyFigure;
}

function withImages(text: string): PlotlyFigure {
  const sources = [text, `https://strangers.test/${encodeURIComponent(text)}`, "//strangers.test/image.png"];
  const place = { x: 0, y: 1, sizex: 1, sizey: 1, xref: "paper", yref: "paper" };
  return {
    data: [{ type: "pie", values: [1] }, ...sources.map((source) => ({ type: "image", source }))],
    layout: {
      images: sources.map((source) => ({ source, ...place })),
      template: { layout: { images: sources.map((source) => ({ source, ...place })) } },
    },
  } as unknown as PlotlyFigure;
}

function page(text: string): string {
  const bundles: MimeBundle[] = [
    { "text/plain": text },
    { "text/plain": text, "image/png": text },
    { "text/plain": text, "image/svg+xml": `<svg xmlns="http://www.w3.org/2000/svg">${text}</svg>` },
    { "text/markdown": text },
    { "text/latex": `$${text}$` },
    { [text]: text },
    { "application/javascript": text, "text/x-html": text },
  ];
  const outputs: CellOutput[] = [
    { output_type: "stream", name: text as "stdout", text },
    { output_type: "error", ename: text, evalue: text, traceback: [text, `\x1b[31m${text}`] },
    ...bundles.map((data) => ({ output_type: "display_data" as const, data, metadata: { [text]: text } })),
  ];
  const cell = (cell_type: NotebookCell["cell_type"], source: string) => ({
    ...{ id: text, cell_type, source, metadata: { tags: [text] }, outputs, execution_count: 1 },
    attachments: { [text]: { [text]: text } },
  });
  const cells = [
    cell("markdown", `# ${text}\n`),
    cell("markdown", `## ${text}\n\n## b\n\n## c\n`),
    cell("code", text),
    cell("raw", text),
  ];
  const metadata = { kernelspec: { name: text, language: text }, title: text };
  const facts = {
    title: text,
    startedAt: new Date(0),
    seconds: 1,
    cells: [{ index: 1, title: text, status: "ok" as const, seconds: 1 }],
  };
  return renderPage({ cells, metadata, nbformat: 4, nbformat_minor: 5 }, facts);
}
