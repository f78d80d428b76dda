import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { LuvitError } from "../src/core/errors";
import { Rng } from "../src/core/rng";
import { stopEngineProcesses } from "../src/engine";
import { lookInside } from "../src/figures";
import { create } from "../src/models/classifier";
import { blankPage, launch, skip } from "../tests/browser/chromium";
import { hoverTimes } from "../tests/browser/hoverTimes";
import { type Heading, headingOf, headingText, noFigures } from "./core/heading";
import type { BenchOptions } from "./core/options";
import { fusionOf, presetOf } from "./core/presets";
import type { Report } from "./core/report";

export interface InsidePageResult extends Heading {
  page_mb: number;
  /** Until the page was made, attention, two ways of evidence, lens, norms and heads by layers in it. */
  made_s: number;
  hover_ms: { median: number; p90: number; max: number };
}

/** Pointer moves that are measured, times of steps. */
const MOVES = 60;

/** The page of `figures.lookInside`: its size, and what it takes to answer a pointer in Chromium. */
export async function insidePage(options: BenchOptions): Promise<Report> {
  if (skip) throw new LuvitError("missing-file", `inside-page: ${skip}`);
  const preset = presetOf(options.preset);
  const { engine, precision, frozen, provider } = options;
  const model = create({ encoder: preset.vit, fusion: fusionOf(preset), classes: preset.classes });
  const side = preset.vit.imageSize;
  const rng = new Rng(0);
  const data = Uint8Array.from({ length: side * side * 3 }, () => Math.floor(256 * rng.uniform()));
  const start = performance.now();
  const how = { engine, precision, frozen, provider };
  const shown = { relevance: ["chefer", "legrad"], lens: true, norms: true, heads: true } as const;
  const page = await lookInside(model, { data, width: side, height: side }, { ...shown, ...how });
  const made = (performance.now() - start) / 1000;
  await stopEngineProcesses();
  const folder = mkdtempSync(join(tmpdir(), "luvit-bench-page-"));
  const browser = await launch();
  try {
    const path = page.save(join(folder, "inside.html"));
    const opened = await blankPage(browser, { viewport: { width: 1200, height: 1000 } });
    await opened.page.goto(pathToFileURL(path).href);
    await opened.page.waitForSelector(".luvit-attention[data-alive]");
    const times = await hoverTimes(opened.page, MOVES * options.steps);
    const at = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))];
    const hover = { median: at(0.5), p90: at(0.9), max: at(1) };
    const result: InsidePageResult = {
      ...headingOf(options, 1, [engine, precision, frozen].filter(Boolean).join(" ")),
      ...{ page_mb: statSync(path).size / 1e6, made_s: made, hover_ms: hover },
    };
    const text = [
      ...headingText(result),
      `  page ${result.page_mb.toFixed(2)} MB, made in ${made.toFixed(1)} s`,
      `  a pointer's move: median ${hover.median.toFixed(1)} ms, 90 % within ${hover.p90.toFixed(1)} ms, longest ${hover.max.toFixed(1)} ms`,
    ].join("\n");
    return { json: { ...result, ...noFigures }, text };
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
