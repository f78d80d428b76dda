import { describeValue } from "../../core/options";
import { MOST_PIXELS } from "../options";
import { FARTHEST } from "./segmentation";

/** Ids, and everything that is counted. */
const isWhole = (value: unknown) => Number.isSafeInteger(value);
const isNumber = (value: unknown) => typeof value === "number" && Number.isFinite(value);

/** The fields of one entry of a JSON file, and what is wrong with them. */
export class Fields {
  readonly wrong: string[] = [];

  private constructor(private readonly values: Readonly<Record<string, unknown>>) {}

  /** The entry that a text holds; a line about it where it is none. */
  static parse(text: string): Fields | string {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      const hint = /\b(?:NaN|Infinity)\b/.test(text) ? "; JSON has no NaN and no Infinity" : "";
      return `not JSON (${(error as Error).message.slice(0, 160)})${hint}`;
    }
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return new Fields(value as Record<string, unknown>);
    return `expected an object, got ${describeValue(value)}`;
  }

  has(name: string): boolean {
    return this.values[name] !== undefined && this.values[name] !== null;
  }

  get(name: string): unknown {
    return Object.hasOwn(this.values, name) ? this.values[name] : undefined;
  }

  whole(name: string): number {
    return this.take(name, "a whole number", isWhole) as number;
  }

  /** A side of an image. */
  side(name: string): number {
    const expected = `a whole number from 1 to ${MOST_PIXELS}`;
    return this.take(
      name,
      expected,
      (value) => isWhole(value) && Number(value) >= 1 && Number(value) <= MOST_PIXELS,
    ) as number;
  }

  /** From `least`. */
  number(name: string, least = Number.NEGATIVE_INFINITY): number {
    const expected = Number.isFinite(least) ? `a number from ${least}` : "a number";
    return this.take(name, expected, (value) => isNumber(value) && Number(value) >= least) as number;
  }

  text(name: string): string {
    return this.take(name, "a text", (value) => typeof value === "string" && value !== "") as string;
  }

  /** 0 or 1, true or false; 0 where it is not said. */
  flag(name: string): boolean {
    if (!this.has(name)) return false;
    const isFlag = (value: unknown) => value === 0 || value === 1 || typeof value === "boolean";
    return Boolean(this.take(name, "0 or 1", isFlag));
  }

  /** Left, top, width and height. */
  box(name: string): [number, number, number, number] {
    const isNear = (value: unknown) => isNumber(value) && Math.abs(Number(value)) <= FARTHEST;
    const isBox = (value: unknown) =>
      Array.isArray(value) && value.length === 4 && value.every(isNear) && value[2] >= 0 && value[3] >= 0;
    const expected = `four numbers [x, y, width, height], no side below 0, none beyond ${FARTHEST}`;
    return this.take(name, expected, isBox) as [number, number, number, number];
  }

  refuse(line: string): void {
    this.wrong.push(line);
  }

  private take(name: string, expected: string, holds: (value: unknown) => boolean): unknown {
    const value = this.get(name);
    if (holds(value)) return value;
    this.wrong.push(
      value === undefined
        ? `${name}: missing, expected ${expected}`
        : `${name}: expected ${expected}, got ${describeValue(value)}`,
    );
    return value;
  }
}
