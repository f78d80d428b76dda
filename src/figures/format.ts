/** `8.3 s`, `2 min 05 s`, `1 h 12 min`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 0.0995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
}

/** A number for reading: four significant digits, thin separators, exponents only at the extremes. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) return value.toLocaleString("en-US");
  if (size < 1e-3 || size >= 1e9) return value.toExponential(2);
  if (size >= 1000) return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
  return String(Number(value.toPrecision(4)));
}

/** Both ends of a scale: three significant digits, or as many more as it takes to see a hundredth of the way between them. */
export function formatRange(low: number, high: number): [low: string, high: string] {
  const size = Math.max(Math.abs(low), Math.abs(high));
  const needed = high > low ? Math.ceil(Math.log10(size / (high - low))) + 2 : 3;
  const digits = Math.min(Math.max(needed, 3), 15);
  return [String(Number(low.toPrecision(digits))), String(Number(high.toPrecision(digits)))];
}

/** A learning rate: three digits and a power of ten, whatever its size, so that two of them can be compared. */
export function formatRate(rate: number): string {
  return rate === 0 || !Number.isFinite(rate) ? String(rate) : rate.toExponential(2);
}

/** Bytes as `512 MiB` or `1.4 GiB`. */
export function formatBytes(bytes: number): string {
  const mebibytes = bytes / 2 ** 20;
  return Math.round(mebibytes) < 1024
    ? `${Math.round(mebibytes)} MiB`
    : `${(mebibytes / 1024).toFixed(1)} GiB`;
}

/** A share of a whole as "[████████████░░░░░░░░]". */
export function formatBar(share: number, width = 20): string {
  const full = Math.round(width * Math.min(1, Math.max(0, share)));
  return `[${"█".repeat(full)}${"░".repeat(width - full)}]`;
}
