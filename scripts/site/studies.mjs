import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { addressOf, relative } from "./addresses.mjs";
import { escapeHtml } from "./layout.mjs";
import { barsOf, baselineOf, differenceOf, distinct, meanOf, readRows } from "./measures.mjs";

/** What is asked by each study, in which notebook, compared with what, drawn how. A study that is not in it is shown too. */
const known = JSON.parse(readFileSync(new URL("studies.json", import.meta.url), "utf8"));

const PART = "Studies";

/** Every study with its question. */
export function studyIndex(site, address) {
  const items = studies(site).map(({ title, question, path }) => {
    const to = relative(address, site.request(path));
    return `<li><div><h2><a href="${to}">${escapeHtml(title)}</a></h2><p>${escapeHtml(question)}</p></div></li>`;
  });
  return {
    title: PART,
    plainTitle: PART,
    body: `<p>Comparisons over seeds, at toy size: <code>npm run study -- &lt;name&gt;</code> runs one anew. Intervals are 99 %, by
Student's t over seeds; a difference whose interval holds 0 is none that was seen.</p>
<ol class="cards">${items.join("\n")}</ol>`,
    part: PART,
  };
}

/** One study: what it asks, its figures, every number. */
export async function studyPage(site, path, address) {
  const study = studies(site).find((one) => one.path === path);
  const rows = await readRows(join(site.root, path));
  const { notebook } = study;
  const notebookPath = `notebooks/${notebook}`;
  const asked =
    notebook && site.exists(notebookPath)
      ? ` What follows from it is in the notebook <a href="${relative(address, site.request(notebookPath))}">${notebook.replace(".ipynb", "")}</a>.`
      : "";
  const baseline = study.baseline ?? distinct(rows, "variant")[0];
  return {
    title: escapeHtml(study.title),
    plainTitle: study.title,
    body: `<p>${escapeHtml(study.question)}${asked}</p>
${origin(rows)}
${(study.figures ?? [guessed(rows)]).map((figure) => barsOf(rows, figure)).join("\n")}
${tables(rows, baseline)}`,
    part: PART,
    beside: studies(site).map((one) => [one.title, addressOf(one.path, false)]),
  };
}

function studies(site) {
  return readdirSync(join(site.root, "data", "studies"))
    .filter((name) => name.endsWith(".arrow"))
    .sort()
    .map((file) => {
      const name = basename(file, ".arrow");
      return { title: name, question: "", ...known[name], name, path: `data/studies/${file}` };
    });
}

/** Where the numbers come from. */
function origin(rows) {
  const list = (name) => distinct(rows, name).map(String).map(escapeHtml).join(", ");
  return `<p class="aside">Seeds ${list("seed")} · epochs ${list("epochs")} · commit ${list("commit")} · ${list("machine")}</p>`;
}

/** The figure of a study that nothing is known of: its first percentages. */
function guessed(rows) {
  const whole = rows.filter(({ layer }) => layer === null);
  const metrics = distinct(whole, "metric").filter((metric) => metric.endsWith("(%)"));
  return { title: "99 % intervals over seeds", yTitle: "%", metrics: metrics.slice(0, 4) };
}

/** Numbers of the whole model open, those of its layers or of kinds folded. */
function tables(rows, baseline) {
  const [whole, parts] = [
    rows.filter(({ layer }) => layer === null),
    rows.filter(({ layer }) => layer !== null),
  ];
  const folded =
    parts.length > 0 ? `<details><summary>By part</summary>${table(parts, baseline)}</details>` : "";
  return `<h2 id="numbers">Numbers</h2>\n${table(whole, baseline)}\n${folded}`;
}

function table(rows, baseline) {
  const lines = distinct(rows, "metric").flatMap((metric) => {
    const own = rows.filter((row) => row.metric === metric);
    return distinct(own, "layer").flatMap((layer) => linesOf(own, metric, layer, baseline));
  });
  const head = ["measure", "variant", "mean ± 99 %", `difference from ${baseline}`];
  return `<div class="wide"><table><thead><tr>${head.map((name) => `<th scope="col">${escapeHtml(name)}</th>`).join("")}</tr></thead>
<tbody>${lines.join("\n")}</tbody></table></div>`;
}

function linesOf(rows, metric, layer, baseline) {
  const name = layer === null ? metric : `${metric}, ${layer}`;
  const variants = distinct(
    rows.filter((row) => row.layer === layer),
    "variant",
  );
  return variants.map((variant, index) => {
    const beside = baselineOf(variant, baseline, variants);
    const difference = variant === beside ? undefined : differenceOf(rows, variant, beside, metric, layer);
    const first =
      index === 0 ? `<th scope="rowgroup" rowspan="${variants.length}">${escapeHtml(name)}</th>` : "";
    const cells = [escapeHtml(variant), said(meanOf(rows, variant, metric, layer)), against(difference)];
    return `<tr>${first}${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
  });
}

function said(statistics) {
  if (statistics === undefined) return "–";
  const { n, mean, halfWidth } = statistics;
  return n === 1 ? number(mean) : `${number(mean)} ± ${number(halfWidth)}`;
}

function against(statistics) {
  if (statistics === undefined) return "–";
  const [low, high] = statistics.interval;
  const isSeen = low > 0 || high < 0;
  const text = `${statistics.mean > 0 ? "+" : ""}${said(statistics)}`;
  return isSeen ? `<b>${text}</b>` : `${text}, none seen`;
}

function number(value) {
  const size = Math.abs(value);
  return (size !== 0 && size < 0.1 ? value.toExponential(1) : value.toFixed(2)).replace("-", "−");
}
