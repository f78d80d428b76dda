import { readdirSync } from "node:fs";
import { packageRoot } from "../../src/core/packageRoot";
import { approve } from "./approved";
import { errorText, isTensor, valueText } from "./valueText";

/*
 * Calls of functions and what came of each, a line a call, kept as an approved text (tests/approved/calls). Each call is made
 * twice with the same arguments. What is noted beside its result, where it happens: another result the second time, an argument
 * that was changed, tensors and files that stay open.
 */

// biome-ignore lint/suspicious/noExplicitAny: any function can be called
type Callable = (...given: any[]) => unknown;

/** A table of calls, in words. */
export class Calls {
  readonly lines: string[] = [];
  readonly #places: [string, string][];

  /** `places`: folders that are another one each time, by the name they get in the text. */
  constructor(places: Readonly<Record<string, string>> = {}) {
    this.#places = [...Object.entries(places).map(([name, path]): [string, string] => [path, `<${name}>`])];
    this.#places.push([packageRoot(), "<root>"]);
  }

  /** A heading between lines. */
  title(words: string): this {
    this.lines.push(`# ${words}`);
    return this;
  }

  /** Calls a function, which gives its name, with arguments that are written. */
  async of(called: Callable, ...given: unknown[]): Promise<void> {
    const before = given.map((value) => this.#write(value));
    await this.does(`${called.name}(${before.join(", ")})`, () => called(...given));
    given.forEach((value, i) => {
      const after = this.#write(value);
      if (after !== before[i]) this.lines.push(`  changes argument ${i}: ${after}`);
    });
  }

  /** What an expression, called `name`, comes to, twice. */
  async does(name: string, expression: () => unknown): Promise<void> {
    const first = await this.#result(expression);
    this.lines.push(`${name} ${first}`);
    const second = await this.#result(expression);
    if (second !== first) this.lines.push(`  again ${second}`);
  }

  /** As `does`, for what may happen only once. */
  async once(name: string, expression: () => unknown): Promise<void> {
    this.lines.push(`${name} ${await this.#result(expression)}`);
  }

  /** A line with a value. */
  note(name: string, value: unknown): void {
    this.lines.push(`${name} = ${this.#write(value)}`);
  }

  /** Compares with the approved text of this name, numbers with decimals to a 10,000th. */
  approve(name: string): void {
    approve(`calls/${name}`, this.lines, { tolerance: 1e-4 });
  }

  #write(value: unknown): string {
    return valueText(value, this.#places);
  }

  async #result(expression: () => unknown): Promise<string> {
    const before = held();
    const text = await this.#settled(expression);
    // Files are closed and listeners called in the turns after.
    for (let turn = 0; turn < 20 && held().files > before.files; turn++)
      await new Promise((resolve) => setTimeout(resolve, 5));
    const { files, tensors } = held();
    const left = [
      ...(tensors === before.tensors ? [] : [`${tensors - before.tensors} tensors`]),
      ...(files > before.files ? [`${files - before.files} open files`] : []),
    ];
    return left.length === 0 ? text : `${text} (leaves ${left.join(", ")})`;
  }

  async #settled(expression: () => unknown): Promise<string> {
    try {
      const value = await read(await expression());
      const text = `= ${this.#write(value)}`;
      dispose(value);
      return text;
    } catch (error) {
      return `! ${errorText(error, this.#places)}`;
    }
  }
}

/** What is given one by one, as an array. */
async function read(value: unknown): Promise<unknown> {
  if (typeof value !== "object" || value === null || isTensor(value)) return value;
  if (Symbol.asyncIterator in value || (Symbol.iterator in value && "next" in value)) {
    const all: unknown[] = [];
    for await (const one of value as AsyncIterable<unknown>) if (all.push(one) === 1000) break;
    return all;
  }
  return value;
}

/** Disposes of the tensors that a call gave. */
function dispose(value: unknown): void {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return;
  if (!isTensor(value)) for (const entry of Object.values(value)) dispose(entry);
  else if (!value.isDisposed) value.dispose();
}

/** What this process holds: tensors, where tfjs is loaded, and open files, where the system tells them. */
function held(): { files: number; tensors: number } {
  const { _tfengine: tfjs } = globalThis as { _tfengine?: { state: { numTensors: number } } };
  const files = process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0;
  return { files, tensors: tfjs?.state.numTensors ?? 0 };
}
