import type { PlotlyAxis, PlotlyDatum } from "../spec";

/** One labeled position on an axis. */
export interface Tick {
  value: number;
  label: string;
}

/** An axis ready to draw: its range in axis units (log10 for log axes), and what maps data into it. */
export interface Scale {
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly Tick[];
  /** Data value to axis unit; NaN for what the axis cannot show. */
  place(value: PlotlyDatum): number;
}

/** The scale of one axis from its settings and all values on it, with about `count` ticks; `flush` leaves no air. */
export function makeScale(
  axis: PlotlyAxis,
  values: readonly PlotlyDatum[],
  count: number,
  flush: boolean,
): Scale {
  const categories = categoriesOf(axis, values);
  if (categories) return categoryScale(categories);
  const log = axis.type === "log";
  const place = (value: PlotlyDatum) =>
    typeof value !== "number" ? Number.NaN : log ? Math.log10(value) : value;
  const [low, high] = axis.range ?? autoRange(values.map(place), axis.rangemode === "tozero", flush);
  const ticks = axis.tickvals
    ? axis.tickvals.map((value, index) => ({
        value: place(value),
        label: axis.ticktext?.[index] ?? String(value),
      }))
    : log
      ? logTicks(low, high)
      : niceTicks(low, high, Math.max(2, count));
  const [start, end] = axis.autorange === "reversed" ? [high, low] : [low, high];
  return { low: start, high: end, ticks, place };
}

function categoriesOf(axis: PlotlyAxis, values: readonly PlotlyDatum[]): string[] | undefined {
  const texts = values.filter((value) => typeof value === "string");
  return axis.type === "category" || texts.length > 0 ? [...new Set(texts)] : undefined;
}

function categoryScale(categories: string[]): Scale {
  const ticks = categories.map((label, value) => ({ label, value }));
  const place = (value: PlotlyDatum) => (typeof value === "number" ? value : categories.indexOf(value ?? ""));
  return { low: -0.5, high: categories.length - 0.5, ticks, place };
}

function autoRange(values: readonly number[], fromZero: boolean, flush: boolean): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return [0, 1];
  if (fromZero) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
  if (low === high) return [low - 0.5, high + 0.5];
  const air = flush ? 0 : 0.06 * (high - low);
  return [fromZero && low === 0 ? 0 : low - air, fromZero && high === 0 ? 0 : high + air];
}

/** Round positions 1, 2 or 5 times a power of ten apart, about `count` of them. */
export function niceTicks(low: number, high: number, count: number): Tick[] {
  const rough = Math.abs(high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => rough <= factor * power * 1.4) ?? 10);
  // Ends that are ticks stay ones when dividing rounds them out.
  const first = Math.ceil(Math.min(low, high) / step - 1e-6);
  const last = Math.floor(Math.max(low, high) / step + 1e-6);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => {
    const value = (first + index) * step;
    return { value, label: tickLabel(value, step) };
  });
}

function logTicks(low: number, high: number): Tick[] {
  const factors = high - low > 2 ? [1] : high - low > 0.8 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 7];
  const powers = Array.from(
    { length: Math.ceil(high) - Math.floor(low) + 1 },
    (_, index) => Math.floor(low) + index,
  );
  return powers
    .flatMap((power) =>
      factors.map((factor) => ({
        value: power + Math.log10(factor),
        label: tickLabel(factor * 10 ** power, (factor % 1 || 1) * 10 ** power),
      })),
    )
    .filter(({ value }) => value >= low - 1e-9 && value <= high + 1e-9);
}

function tickLabel(value: number, step: number): string {
  if (Math.abs(value) < step * 1e-6) return "0";
  if (Math.abs(value) >= 1e5 || (step < 1e-4 && Math.abs(value) < 0.01)) return powerLabel(value, step);
  if (Math.abs(value) >= 1e4 && step >= 1000) return `${Number((value / 1000).toPrecision(6))}k`;
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return value.toFixed(decimals).replace("-", "−");
}

/** "1.205e6": as many digits as tell a value from that of a step beside it. */
function powerLabel(value: number, step: number): string {
  const exponent = Math.floor(Math.log10(Math.abs(value)) + 1e-9);
  const decimals = Math.max(0, exponent - Math.floor(Math.log10(step) + 1e-9));
  const [digits, power] = value.toExponential(decimals).split("e");
  return `${Number(digits)}e${Number(power)}`.replace(/^-/, "−");
}
