import { movingMean, thin } from "../figures/lossCurves";
import { niceTicks } from "../figures/svg/scale";
import { escapeHtml } from "./html";

/** How a small curve looks. */
export interface SparklineOptions {
  yTitle: string;
  /** Right end of the horizontal axis, so that the curve grows into its place. */
  xMost: number;
  color: string;
}

const [width, height, left, bottom, top, right] = [720, 170, 46, 20, 8, 14];
const mostPoints = 400;

/** A curve as inline SVG: raw faint, running mean strong, few ticks; text in the surrounding colour. */
export function sparkline(
  steps: readonly number[],
  values: readonly number[],
  options: SparklineOptions,
): string {
  const smooth = movingMean(values, Math.max(5, values.length / 25));
  const keep = thin(values.length, mostPoints).filter((index) => Number.isFinite(values[index]));
  if (keep.length < 2) return "";
  const drawn = keep.map((index) => values[index]!);
  const [low, high] = [Math.min(...drawn), Math.max(...drawn)];
  const span = high - low || 1;
  const first = Math.min(0, steps[0] ?? 0);
  const x = (step: number) =>
    left + ((step - first) / Math.max(1, options.xMost - first)) * (width - left - right);
  const y = (value: number) => top + ((high - value) / span) * (height - top - bottom);
  const path = (numbers: readonly number[]) =>
    keep
      .map(
        (index, at) =>
          `${at === 0 ? "M" : "L"}${x(steps[index]!).toFixed(1)} ${y(numbers[index]!).toFixed(1)}`,
      )
      .join("");
  const text = (content: string, at: [number, number], anchor: string) =>
    `<text x="${at[0].toFixed(1)}" y="${at[1].toFixed(1)}" text-anchor="${anchor}">${escapeHtml(content)}</text>`;
  const yTicks = niceTicks(low, high, 4).map(({ value, label }) => {
    const at = y(value);
    return `<path d="M${left} ${at.toFixed(1)}H${width - right}" stroke="currentColor" stroke-opacity=".14"/>${text(label, [left - 6, at + 4], "end")}`;
  });
  const xTicks = niceTicks(first, options.xMost, 6).map(({ value, label }) =>
    text(label, [x(value), height - 4], "middle"),
  );
  const line = (numbers: readonly number[], strength: string) =>
    `<path d="${path(numbers)}" fill="none" stroke="${options.color}" stroke-linejoin="round" ${strength}/>`;
  return (
    `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" style="max-width:100%;height:auto;margin-top:8px;display:block" role="img" ` +
    `aria-label="${escapeHtml(options.yTitle)} over steps"><g font-size="11" fill="currentColor" fill-opacity=".66">${yTicks.join("")}${xTicks.join("")}</g>` +
    `${line(values, 'stroke-opacity=".35"')}${line(smooth, 'stroke-width="2.2"')}</svg>`
  );
}
