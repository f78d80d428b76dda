import { brief } from "../../core/brief";
import type { JsonObject } from "../bytes";

/** Picks numbers out of a config and collects what is wrong. */
export class ConfigFields {
  readonly faults: string[] = [];

  constructor(private readonly value: JsonObject) {}

  count(name: string): number | undefined {
    const number = this.positive(name);
    if (number === undefined || Number.isSafeInteger(number)) return number;
    return this.fault(name, "a whole number");
  }

  positive(name: string): number | undefined {
    const field = this.value[name];
    if (field === undefined || field === null) return undefined;
    if (typeof field === "number" && Number.isFinite(field) && field > 0) return field;
    return this.fault(name, "a positive number");
  }

  flag(name: string): boolean | undefined {
    const field = this.value[name];
    if (field === undefined || field === null) return undefined;
    return typeof field === "boolean" ? field : this.fault(name, "true or false");
  }

  require(name: string, allowed: readonly unknown[]): void {
    if (!allowed.includes(this.value[name] ?? undefined)) {
      this.fault(name, allowed.filter((entry) => entry !== undefined).join(", ") || "nothing");
    }
  }

  /** The same over an object inside this one; its faults are this one's. */
  inside(name: string): ConfigFields {
    const field = this.value[name];
    const inner = new ConfigFields(typeof field === "object" && field !== null ? (field as JsonObject) : {});
    return Object.assign(inner, { faults: this.faults });
  }

  private fault(name: string, expected: string): undefined {
    const line = `${name}: expected ${expected}, got ${brief(this.value[name])}`;
    if (!this.faults.includes(line)) this.faults.push(line);
    return undefined;
  }
}
