import { sizeOf } from "../../core/hostTensor";
import { checkArrays, expectEntries, expectNoneEmpty } from "../arrays";
import type { ArraysByName, TypedArray } from "../executor";
import type { Fetched, TfSession } from "./session";
import type { Variable, Zeroing } from "./variables";
import { type WriterPlace, writeVariable } from "./writers";

/**
 * Entries of so many bytes are fetched together. A processor's variables are not copied by that; what comes from a GPU
 * lies in the host's memory until the next group.
 */
const GROUP_BYTES = 2 ** 28;

/** Entries that are fetched together, in order, and what was. */
interface Ahead {
  readonly names: readonly string[];
  readonly fetched: Fetched;
}

/** The state of the programs, in TensorFlow's variables. */
export class TfState {
  private readonly written = new Set<string>();
  private readonly session: TfSession;
  private readonly variables: ReadonlyMap<string, Variable>;
  private readonly writers: ReadonlyMap<string, WriterPlace>;
  /** Moments of AdamW, which begin at zero. */
  private readonly zeroing: Zeroing;
  /** Entries that some program changes. */
  private readonly changing: readonly string[];
  /** Each entry's group. */
  private readonly groups = new Map<string, readonly string[]>();
  private ahead: Ahead | undefined;

  constructor(parts: {
    session: TfSession;
    variables: ReadonlyMap<string, Variable>;
    writers: ReadonlyMap<string, WriterPlace>;
    zeroing: Zeroing;
    changing: ReadonlySet<string>;
  }) {
    const { session, variables, writers, zeroing, changing } = parts;
    this.session = session;
    this.variables = variables;
    this.writers = writers;
    this.zeroing = zeroing;
    const names = [...variables.keys()];
    this.changing = names.filter((name) => changing.has(name));
    for (const alike of [this.changing, names.filter((name) => !changing.has(name))])
      for (const group of this.grouped(alike)) for (const name of group) this.groups.set(name, group);
  }

  has(name: string): boolean {
    return this.variables.has(name);
  }

  /**
   * Sets moments nobody has written;
   *
   * @throws LuvitError("bad-argument") naming other entries nobody has written.
   */
  requireWritten(names: readonly string[]): void {
    const empty = names.filter((name) => !this.written.has(name));
    if (empty.length === 0) return;
    const missing = empty.filter((name) => !this.zeroing.names.has(name));
    expectNoneEmpty(missing);
    const { names: moments, zero, done } = this.zeroing;
    if ([...moments].some((name) => this.written.has(name))) {
      for (const name of empty) this.writeOne(name, new Float32Array(this.sizeOf(name)));
      return;
    }
    this.session.run([{ place: zero, shape: [], array: Float32Array.of(0) }], [done]);
    for (const name of moments) this.written.add(name);
  }

  /** @throws LuvitError("bad-argument") naming entries that are none. */
  read(names: readonly string[] = this.changing): Record<string, Float32Array> {
    expectEntries(names, this.variables);
    this.requireWritten(names);
    return Object.fromEntries(names.map((name) => [name, this.readOne(name)]));
  }

  /** @throws LuvitError("bad-argument") naming entries that are none or do not fit; nothing has changed then. */
  write(values: ArraysByName): void {
    const entries = Object.entries(values);
    const names = entries.map(([name]) => name);
    expectEntries(names, this.variables);
    const inputs = names.map((name) => this.variables.get(name)!.input);
    checkArrays("state", inputs, values);
    for (const [name, array] of entries) this.writeOne(name, array);
  }

  /** What was fetched ahead is given back, so that variables change in place again. */
  letGo(): void {
    this.ahead?.fetched.letGo();
    this.ahead = undefined;
  }

  private readOne(name: string): Float32Array {
    if (!this.ahead?.names.includes(name)) {
      this.letGo();
      const names = this.groups.get(name)!.filter((each) => this.written.has(each));
      const reads = names.map((each) => this.variables.get(each)!.read);
      this.ahead = { names, fetched: this.session.fetch([], reads) };
    }
    const { names, fetched } = this.ahead;
    const result = fetched.at(names.indexOf(name));
    return result instanceof Float32Array ? result : Float32Array.from(result);
  }

  private writeOne(name: string, array: TypedArray): void {
    this.letGo();
    const { shape } = this.variables.get(name)!.input.value;
    writeVariable(this.session, this.writers.get(name)!, shape, array);
    this.written.add(name);
  }

  private sizeOf(name: string): number {
    return sizeOf(this.variables.get(name)!.input.value.shape);
  }

  private grouped(names: readonly string[]): string[][] {
    const groups: string[][] = [];
    let room = 0;
    for (const name of names) {
      const bytes = 4 * this.sizeOf(name);
      if (groups.length === 0 || bytes > room) {
        groups.push([]);
        room = GROUP_BYTES;
      }
      groups.at(-1)!.push(name);
      room -= bytes;
    }
    return groups;
  }
}
