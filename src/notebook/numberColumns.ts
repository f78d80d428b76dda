import { formatNumber, formatRate } from "../figures/format";

/** Digits of the largest number of a column, and of the smallest where that needs more. */
const [mostDigits, leastDigits] = [4, 2];
/** With more digits than these, powers of ten are easier to compare. */
const readable = 8;

/** How each column writes its numbers; columns of one unit, percent and percentage points among them, write alike. */
export function columnFormats(
  heads: readonly string[],
  columns: readonly (readonly unknown[])[],
): ((value: number) => string)[] {
  const numbers = columns.map((values) => values.filter((value) => typeof value === "number"));
  const units = heads.map((head, index) => unitOf(head) ?? index);
  return units.map((unit, index) => {
    if (heads[index] === known.lr) return formatRate;
    return columnFormat(numbers.filter((_, other) => units[other] === unit).flat());
  });
}

/** "%" of "top-1 (%)"; points are what percentages differ by. */
function unitOf(head: string): string | undefined {
  const unit = /\(([^()]+)\)$/.exec(head)?.[1];
  return unit === "points" ? "%" : unit;
}

/**
 * How the numbers of one column are written: all with the same decimals, or all with a power of ten, so that they can be
 * compared at a glance. Whole numbers stay whole.
 */
function columnFormat(numbers: readonly number[]): (value: number) => string {
  const values = numbers.filter(Number.isFinite);
  if (values.every(Number.isInteger)) return formatNumber;
  const sizes = values.map(Math.abs).filter((size) => size > 0);
  const order = (size: number) => Math.floor(Math.log10(size));
  const [largest, smallest] = [
    sizes.reduce((a, b) => Math.max(a, b)),
    sizes.reduce((a, b) => Math.min(a, b)),
  ];
  const wanted = Math.max(mostDigits - 1 - order(largest), leastDigits - 1 - order(smallest));
  const decimals = Math.min(Math.max(0, wanted), mostDecimals(values));
  const digits = Math.max(1, order(largest) + 1) + decimals;
  if (digits > readable || largest >= 1e9 || largest < 1e-3)
    return (value) => (value === 0 || !Number.isFinite(value) ? String(value) : value.toExponential(2));
  const grouped = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return (value) => (Number.isFinite(value) ? value.toLocaleString("en-US", grouped) : String(value));
}

/** Decimals of the number that needs most, four significant digits at most for each. */
function mostDecimals(values: readonly number[]): number {
  const decimals = values.map((value) => {
    const [, fraction = "", power = "0"] = /^-?\d+(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(
      String(Number(value.toPrecision(mostDigits))),
    ) ?? ["", ""];
    return Math.max(0, fraction.length - Number(power));
  });
  return decimals.reduce((a, b) => Math.max(a, b), 0);
}

/** What the library's own records call things, with their units. */
const known: Readonly<Record<string, string>> = {
  lr: "learning rate",
  top1: "top-1 (%)",
  top5: "top-5 (%)",
  boxAP: "AP of boxes (%)",
  maskAP: "AP of masks (%)",
  squareMIoU: "mIoU in squares (%)",
  imagesPerSecond: "images/s",
  mixedSame: "mixed-same (%)",
  mixedRand: "mixed-rand (%)",
  backgroundGap: "background gap (points)",
  percentBackgroundGreater: "background > foreground (%)",
};

/** The head of a column: what a field is called, in words and with its unit where that is known. */
export function columnTitle(name: string, all: readonly string[] = []): string {
  if (Object.hasOwn(known, name)) return known[name]!;
  // Beside its sisters of ImageNet-9 it is an accuracy; alone it may be anything.
  if (name === "original" && all.includes("mixedSame")) return "original (%)";
  if (!/^[a-z]+[0-9]*([A-Z][a-z0-9]*)+$/.test(name)) return name;
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
