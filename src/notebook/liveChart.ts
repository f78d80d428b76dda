import { formatNumber } from "../figures/format";
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

const [width, left, right] = [720, 58, 12];
const lossBand = { top: 26, height: 136 };
const rateBand = { top: 180, height: 34 };
const height = 252;
const mostPoints = 400;

/** Loss of every step and its running mean over the learning rate, as SVG in colours for light and dark pages. */
export function liveChart({ steps, losses, rates, lastStep }: LiveChartData): string {
  const keep = thin(losses.length, mostPoints).filter((index) => Number.isFinite(losses[index]));
  if (keep.length < 2) return "";
  const window = smoothingWindow(losses.length);
  const smooth = movingMean(losses, window);
  const first = Math.min(0, steps[0] ?? 0);
  const x = (step: number) =>
    left + ((step - first) / Math.max(1, lastStep - first)) * (width - left - right);
  const loss = { ...lossBand, ...lossRange(losses, smooth, keep) };
  const rate = {
    ...rateBand,
    low: 0,
    high: keep.reduce((most, index) => Math.max(most, rates[index]!), 0) || 1,
  };
  const path = (values: readonly number[], band: Band) =>
    keep
      .map((index, at) => `${at === 0 ? "M" : "L"}${px(x(steps[index]!))} ${px(y(values[index]!, band))}`)
      .join("");
  const [blue, orange] = [seriesColor(0), seriesColor(1)];
  const line = (d: string, color: string, more: string) =>
    `<path d="${d}" fill="none" stroke="${color}" stroke-linejoin="round" ${more}/>`;
  const ticks = niceTicks(first, lastStep, 6).map(({ value, label }) => text(label, x(value), 230, "middle"));
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="${escapeXml(figureFont)}" font-size="11" fill="${neutralColor}">` +
    `${legend(window, blue, orange)}${grid(loss, 4)}${grid(rate, 1)}${ticks.join("")}${text("optimiser step", (left + width - right) / 2, 247, "middle")}` +
    line(path(losses, loss), blue, 'stroke-opacity=".4"') +
    line(path(smooth, loss), blue, 'stroke-width="2.2"') +
    `${line(path(rates, rate), orange, 'stroke-width="1.6"')}</svg>`
  );
}

/** The range of the running mean, widened to all but the wildest single losses. */
function lossRange(
  losses: readonly number[],
  smooth: readonly number[],
  keep: readonly number[],
): { low: number; high: number } {
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

function grid(band: Band, count: number): string {
  const lines =
    count > 1
      ? niceTicks(band.low, band.high, count)
      : [{ value: band.high, label: formatNumber(band.high) }];
  const drawn = lines.map(({ value, label }) => {
    const at = px(y(value, band));
    return `<path d="M${left} ${at}H${width - right}" stroke="${neutralColor}" stroke-opacity=".22"/>${text(label, left - 7, Number(at) + 4, "end")}`;
  });
  const base = band.top + band.height;
  return `${drawn.join("")}<path d="M${left} ${base}.5H${width - right}" stroke="${neutralColor}" stroke-opacity=".6"/>`;
}

function legend(window: number, blue: string, orange: string): string {
  const entries: [string, string, string][] = [
    [blue, 'stroke-opacity=".4" stroke-width="1.4"', "loss of each step"],
    [blue, 'stroke-width="2.4"', window === 1 ? "no mean yet" : `mean over ${window} steps`],
    [orange, 'stroke-width="1.8"', "learning rate"],
  ];
  let at = left;
  const drawn = entries.map(([color, look, name]) => {
    const entry = `<path d="M${at} 9h18" stroke="${color}" ${look}/>${text(name, at + 24, 13, "start")}`;
    at += 24 + 6.2 * name.length + 18;
    return entry;
  });
  return drawn.join("");
}

function text(content: string, at: number, baseline: number, anchor: string): string {
  return `<text x="${px(at)}" y="${px(baseline)}" text-anchor="${anchor}">${escapeXml(content)}</text>`;
}
