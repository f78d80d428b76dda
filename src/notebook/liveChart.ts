import { formatRate } from "../figures/format";
import { movingMean, smoothingWindow, thin } from "../figures/lossCurves";
import { niceTicks } from "../figures/svg/scale";
import { escapeXml, px } from "../figures/svg/text";
import { figureFont, neutralColor, seriesColor } from "../figures/theme";

/** What a chart of a run draws. */
export interface LiveChartData {
  steps: readonly number[];
  losses: readonly number[];
  rates: readonly number[];
  /** Right end of the horizontal axis, so that the curves grow into their place. */
  lastStep: number;
}

interface Band {
  top: number;
  height: number;
  low: number;
  high: number;
}

/** Pixels; the width is the page's. */
export const chartHeight = 268;

/** Left end and width of the curves, percent of the width. */
const [left, wide] = [10.5, 86];
/** The curves' own units across; the page stretches them, but no line and no text. */
const across = 1000;
const lossBand = { top: 26, height: 136 };
const rateBand = { top: 196, height: 34 };
const mostPoints = 400;
/** How much of the single losses is seen behind their mean, on white and on near-black. */
const faint = 'stroke-opacity=".6" stroke-width="1.2"';

/**
 * Loss of every step and its running mean over the learning rate, as SVG in colors for light and dark pages. It takes
 * the width of its place: lines keep their strength and words their size. Before the first steps the axes are there.
 */
export function liveChart({ steps, losses, rates, lastStep }: LiveChartData): string {
  const keep = thin(losses.length, mostPoints).filter((index) => Number.isFinite(losses[index]));
  const window = smoothingWindow(losses.length);
  const smooth = movingMean(losses, window);
  const first = Math.min(0, steps[0] ?? 0);
  const share = (step: number) => (step - first) / Math.max(1, lastStep - first);
  const loss = { ...lossBand, ...lossRange(losses, smooth, keep) };
  const highest = keep.reduce((most, index) => Math.max(most, rates[index]!), 0);
  const rate = { ...rateBand, low: 0, high: highest || 1 };
  const path = (values: readonly number[], band: Band) =>
    keep
      .map(
        (index, at) =>
          `${at === 0 ? "M" : "L"}${px(across * share(steps[index]!))} ${px(y(values[index]!, band))}`,
      )
      .join("");
  const [blue, orange] = [seriesColor(0), seriesColor(1)];
  const isDrawn = keep.length > 1;
  const curves = [
    curve(path(losses, loss), blue, faint),
    curve(path(smooth, loss), blue, 'stroke-width="2.2"'),
    curve(path(rates, rate), orange, 'stroke-width="1.6"'),
  ];
  const ticks = niceTicks(first, Math.max(first + 1, lastStep), 6).map(({ value, label }) =>
    text(label, left + wide * share(value), 246, "middle"),
  );
  const mean = window === 1 ? "no mean yet" : `mean over ${window} steps`;
  const body = [
    entry(left, 9, blue, faint, "loss of each step"),
    entry(48, 9, blue, 'stroke-width="2.4"', mean),
    entry(left, 182, orange, 'stroke-width="1.8"', "learning rate"),
    grid(loss, isDrawn ? niceTicks(loss.low, loss.high, 4) : []),
    grid(rate, highest > 0 ? [{ value: highest, label: "" }] : []),
    highest > 0 ? text(`up to ${formatRate(highest)}`, left + wide, 186, "end") : "",
    ...ticks,
    text("optimizer step", left + wide / 2, 263, "middle"),
    `<svg x="${left}%" width="${wide}%" height="${chartHeight}" viewBox="0 0 ${across} ${chartHeight}" preserveAspectRatio="none" overflow="visible">${isDrawn ? curves.join("") : ""}</svg>`,
  ];
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="100%" height="${chartHeight}" font-family="${escapeXml(figureFont)}" font-size="11" fill="${neutralColor}">` +
    `${body.join("")}</svg>`
  );
}

/** The range of the running mean, widened to all but the wildest single losses. */
function lossRange(
  losses: readonly number[],
  smooth: readonly number[],
  keep: readonly number[],
): { low: number; high: number } {
  if (keep.length === 0) return { low: 0, high: 1 };
  const sorted = keep.map((index) => losses[index]!).sort((a, b) => a - b);
  const means = keep.map((index) => smooth[index]!).filter(Number.isFinite);
  const low = Math.min(...means, sorted[Math.floor(0.01 * sorted.length)]!);
  const high = Math.max(...means, sorted[Math.ceil(0.99 * sorted.length) - 1]!);
  return low === high ? { low: low - 0.5, high: high + 0.5 } : { low, high };
}

function y(value: number, { top, height: tall, low, high }: Band): number {
  const share = Math.min(1.04, Math.max(-0.04, (value - low) / (high - low)));
  return top + tall * (1 - share);
}

function curve(d: string, color: string, look: string): string {
  return `<path d="${d}" fill="none" stroke="${color}" stroke-linejoin="round" vector-effect="non-scaling-stroke" ${look}/>`;
}

function grid(band: Band, ticks: readonly { value: number; label: string }[]): string {
  const line = (at: number, opacity: number) =>
    `<line x1="${left}%" x2="${left + wide}%" y1="${px(at)}" y2="${px(at)}" stroke="${neutralColor}" stroke-opacity="${opacity}"/>`;
  const drawn = ticks.map(({ value, label }) => {
    const at = y(value, band);
    return line(at, 0.22) + text(label, left, at + 4, "end", -6);
  });
  return drawn.join("") + line(band.top + band.height + 0.5, 0.6);
}

/** One line of the legend, from a place across, percent. */
function entry(at: number, baseline: number, color: string, look: string, name: string): string {
  const mark = `<path d="M0 ${baseline}h18" stroke="${color}" ${look}/>`;
  return `<svg x="${at}%" overflow="visible">${mark}</svg>${text(name, at, baseline + 4, "start", 24)}`;
}

function text(content: string, at: number, baseline: number, anchor: string, shift = 0): string {
  const dx = shift === 0 ? "" : ` dx="${shift}"`;
  return `<text x="${px(at)}%" y="${px(baseline)}"${dx} text-anchor="${anchor}">${escapeXml(content)}</text>`;
}
