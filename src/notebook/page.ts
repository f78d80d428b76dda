import { formatDuration } from "../figures/format";
import { highlight } from "./highlight";
import { dataUrl, escapeHtml, stripAnsi } from "./html";
import { renderMarkdown } from "./markdown";
import { type CellOutput, joinLines, type MimeBundle, type Notebook, type NotebookCell } from "./nbformat";
import { pageStyle } from "./pageStyle";

/** How one code cell ended. */
export type CellStatus = "ok" | "failed" | "interrupted" | "not run";

/** What is known about a code cell after the run. */
export interface CellReport {
  readonly index: number;
  readonly title: string;
  status: CellStatus;
  seconds: number;
}

/** What the head of a page says. */
export interface PageFacts {
  title: string;
  startedAt: Date;
  seconds: number;
  /** One per code cell, in order. */
  cells: readonly CellReport[];
}

/** A notebook with its outputs as one HTML file that needs no network. */
export function renderPage(notebook: Notebook, facts: PageFacts): string {
  const reports = [...facts.cells];
  const title = pageTitle(notebook) ?? facts.title;
  const body = withoutTitle(notebook.cells, title)
    .map((cell) => (cell.cell_type === "code" ? codeCell(cell, reports.shift()) : textCell(cell)))
    .join("\n");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<style>${pageStyle}</style>
</head>
<body>
<main>
${pageHeader(title, facts, body)}
${body}
</main>
</body>
</html>
`;
}

function pageHeader(title: string, facts: PageFacts, body: string): string {
  const count = facts.cells.length;
  const failed = facts.cells.find((cell) => cell.status === "failed");
  const notRun = facts.cells.filter((cell) => cell.status === "not run").length;
  const interrupted = facts.cells.some((cell) => cell.status === "interrupted");
  const state = failed
    ? `failed in cell ${failed.index}`
    : interrupted || notRun > 0
      ? "interrupted"
      : "all cells ran";
  const when = `${facts.startedAt.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const parts = [
    `<span class="${state === "all cells ran" ? "ok" : "bad"}">${state}</span>`,
    `<span>${count} code ${count === 1 ? "cell" : "cells"}${notRun > 0 ? `, ${notRun} not run` : ""}</span>`,
    `<span>${formatDuration(facts.seconds)} in all</span>`,
    `<span>${when}</span>`,
    `<span>Node ${process.version.slice(1)}, ${process.platform} ${process.arch}</span>`,
  ];
  const sections = [...body.matchAll(/<h2 id="([^"]*)">(.*?)<\/h2>/g)].map(
    ([, id, text]) => `<a href="#${id}">${text}</a>`,
  );
  const contents = sections.length > 2 ? `\n<nav aria-label="Contents">${sections.join("")}</nav>` : "";
  return `<header>\n<h1>${escapeHtml(title)}</h1>\n<div class="facts">${parts.join("")}</div>${contents}\n</header>`;
}

function textCell(cell: NotebookCell): string {
  if (cell.cell_type === "raw") return `<pre class="code">${escapeHtml(cell.source)}</pre>`;
  return `<section class="text">${renderMarkdown(cell.source, cell.attachments)}</section>`;
}

function codeCell(cell: NotebookCell, report: CellReport | undefined): string {
  if (cell.source.trim() === "") return "";
  const status = report?.status ?? "not run";
  const style = { ok: "", failed: " failed", interrupted: " failed", "not run": " notrun" }[status];
  const right =
    status === "ok" ? formatDuration(report?.seconds ?? 0) : `<span class="badge">${status}</span>`;
  const label = `<div class="label"><span>${report ? `[${report.index}]` : ""}</span><span>${right}</span></div>`;
  const outputs = (cell.outputs ?? []).map(renderOutput).join("\n");
  return `<section class="cell${style}">${label}<pre class="code"><code>${highlight(cell.source.trimEnd())}</code></pre>\n${outputs}</section>`;
}

/** One output as HTML: of a MIME bundle the richest part a page can show. */
export function renderOutput(output: CellOutput): string {
  if (output.output_type === "stream")
    return textOutput(output.name === "stderr" ? "stderr" : "stdout", output.text);
  if (output.output_type === "error") return textOutput("error", output.traceback.join("\n"));
  return `<div class="output">${renderBundle(output.data)}</div>`;
}

function textOutput(kind: string, text: string): string {
  const clean = stripAnsi(text).replace(/\r/g, "").trimEnd();
  const scroll = kind !== "error" && clean.split("\n").length > 40 ? " scroll" : "";
  return `<div class="output ${kind}${scroll}"><pre>${escapeHtml(clean)}</pre></div>`;
}

function renderBundle(data: MimeBundle): string {
  const text = (mime: string) => joinLines(data[mime]);
  const alt = escapeHtml(text("text/plain").slice(0, 300));
  if ("text/html" in data) return text("text/html");
  if ("image/svg+xml" in data)
    return `<img alt="${alt}" src="${dataUrl("image/svg+xml", text("image/svg+xml"))}">`;
  for (const mime of ["image/png", "image/jpeg", "image/gif", "image/webp"]) {
    const base64 = mime in data ? text(mime).replace(/\s/g, "") : "";
    if (/^[A-Za-z0-9+/]+=*$/.test(base64)) return `<img alt="${alt}" src="data:${mime};base64,${base64}">`;
  }
  if ("text/markdown" in data) return renderMarkdown(text("text/markdown"));
  if ("text/latex" in data) return renderMarkdown(text("text/latex"));
  if ("text/plain" in data) return `<pre>${escapeHtml(stripAnsi(text("text/plain")))}</pre>`;
  return `<pre>${escapeHtml(`(${Object.keys(data).join(", ")})`)}</pre>`;
}

/** The text of a first-level heading that opens the notebook. */
function pageTitle(notebook: Notebook): string | undefined {
  const first = notebook.cells[0];
  return first?.cell_type === "markdown" ? /^\s*#\s+(.+?)\s*#*\s*(\n|$)/.exec(first.source)?.[1] : undefined;
}

/** The cells without the heading that the page's header already shows. */
function withoutTitle(cells: readonly NotebookCell[], title: string): NotebookCell[] {
  const [first, ...rest] = cells;
  if (first?.cell_type !== "markdown" || !/^\s*#\s/.test(first.source) || !first.source.includes(title))
    return [...cells];
  return [{ ...first, source: first.source.replace(/^\s*#\s.*(\n|$)/, "") }, ...rest];
}
