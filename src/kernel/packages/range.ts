/*
 * Versions and ranges of them as npm writes them. The package `semver` has ten times as much code, most of it for what
 * nobody writes behind `npm:`.
 */

type Numbers = readonly [major: number, minor: number, patch: number];

interface Version {
  numbers: Numbers;
  /** What stands behind `-`, part by part. */
  pre: readonly string[];
}

/** One condition of a range. */
interface Bound {
  sign: "<" | "<=" | ">" | ">=" | "=";
  version: Version;
}

const part = "(\\d+|[xX*])";
const pattern = new RegExp(
  `^v?${part}(?:\\.${part}(?:\\.${part})?)?(?:-([0-9A-Za-z.-]+))?(?:\\+[0-9A-Za-z.-]+)?$`,
);

/** Whether a version is within a range; undefined where that is none, but a tag as `latest`. */
export function satisfies(version: string, range: string): boolean | undefined {
  const found = parse(version)?.version;
  const sets = range.split("||").map((one) => boundsOf(one.trim()));
  if (!found || sets.some((one) => one === undefined)) return undefined;
  return sets.some((bounds) => bounds!.every((bound) => holds(found, bound)) && mayBeEarly(found, bounds!));
}

/** A version ahead of its release is meant only where a bound names one of the same release. */
function mayBeEarly({ pre, numbers }: Version, bounds: readonly Bound[]): boolean {
  const isNamed = ({ version }: Bound) => version.pre.length > 0 && `${version.numbers}` === `${numbers}`;
  return pre.length === 0 || bounds.some(isNamed);
}

/** All conditions of a part of a range between `||`. */
function boundsOf(text: string): Bound[] | undefined {
  const [, from, to] = /^(\S+)\s+-\s+(\S+)$/.exec(text) ?? [];
  const words =
    from === undefined
      ? text
          .replace(/([<>=~^])\s+/g, "$1")
          .split(/\s+/)
          .filter((word) => word !== "")
      : [`>=${from}`, `<=${to}`];
  const bounds: Bound[] = [];
  for (const word of words) {
    const found = boundsOfWord(word);
    if (!found) return undefined;
    bounds.push(...found);
  }
  return bounds;
}

function boundsOfWord(word: string): Bound[] | undefined {
  const [, sign = "", text = ""] = /^(\^|~>?|[<>]=?|=)?(.*)$/.exec(word)!;
  const parsed = parse(text);
  if (!parsed) return undefined;
  const { version, given } = parsed;
  const next = (at: number): Bound => ({
    sign: "<",
    version: { numbers: raised(version.numbers, at), pre: ["0"] },
  });
  const least: Bound = { sign: ">=", version };
  if (sign === "^") {
    const first = version.numbers.findIndex((one) => one > 0);
    const at = first < 0 ? given - 1 : Math.min(first, given - 1);
    return given === 0 ? [] : [least, next(at)];
  }
  if (sign.startsWith("~")) return given === 0 ? [] : [least, next(Math.min(1, given - 1))];
  if (given === 3) return [{ sign: (sign || "=") as Bound["sign"], version }];
  return ofPart(sign, version, given, next);
}

/** Bounds of versions of which some numbers are missing. */
function ofPart(sign: string, version: Version, given: number, next: (at: number) => Bound): Bound[] {
  const none: Bound = { sign: "<", version: { numbers: [0, 0, 0], pre: ["0"] } };
  if (given === 0) return sign === "<" || sign === ">" ? [none] : [];
  const last = next(given - 1);
  if (sign === ">") return [{ sign: ">=", version: { numbers: last.version.numbers, pre: [] } }];
  if (sign === "<") return [{ sign: "<", version: { ...version, pre: ["0"] } }];
  if (sign === ">=") return [{ sign: ">=", version }];
  return sign === "<=" ? [last] : [{ sign: ">=", version }, last];
}

function raised(numbers: Numbers, at: number): Numbers {
  return numbers.map((one, index) => (index < at ? one : index === at ? one + 1 : 0)) as unknown as Numbers;
}

/** A version, missing numbers as 0, and how many were given. */
function parse(text: string): { version: Version; given: number } | undefined {
  if (text === "") return { version: { numbers: [0, 0, 0], pre: [] }, given: 0 };
  const found = pattern.exec(text);
  if (!found) return undefined;
  const texts = found.slice(1, 4);
  const open = texts.findIndex((one) => one === undefined || /[xX*]/.test(one));
  const given = open < 0 ? 3 : open;
  const numbers = texts.map((one, index) => (index < given ? Number(one) : 0)) as unknown as Numbers;
  return { version: { numbers, pre: given === 3 ? (found[4]?.split(".") ?? []) : [] }, given };
}

function holds(version: Version, { sign, version: bound }: Bound): boolean {
  const order = compare(version, bound);
  if (sign === "=") return order === 0;
  if (sign === "<") return order < 0;
  if (sign === "<=") return order <= 0;
  return sign === ">" ? order > 0 : order >= 0;
}

function compare(one: Version, other: Version): number {
  for (const [index, number] of one.numbers.entries())
    if (number !== other.numbers[index]) return number - other.numbers[index]!;
  if (one.pre.length === 0 || other.pre.length === 0) return other.pre.length - one.pre.length;
  for (let index = 0; index < Math.max(one.pre.length, other.pre.length); index++) {
    const order = comparePart(one.pre[index], other.pre[index]);
    if (order !== 0) return order;
  }
  return 0;
}

/** Numbers come before words, and the end before all. */
function comparePart(one: string | undefined, other: string | undefined): number {
  if (one === undefined || other === undefined) return one === other ? 0 : one === undefined ? -1 : 1;
  const [isNumber, isOther] = [/^\d+$/.test(one), /^\d+$/.test(other)];
  if (isNumber && isOther) return Number(one) - Number(other);
  if (isNumber !== isOther) return isNumber ? -1 : 1;
  return one < other ? -1 : one > other ? 1 : 0;
}
