import { LuvitError, listOffenders } from "../../core/errors";
import { sizeOf } from "../../core/hostTensor";
import { checkArrays } from "../arrays";
import type { ArraysByName } from "../executor";
import type { Feed, TfSession } from "./session";
import type { Variable } from "./variables";

/** Entries of so many bytes cross at once: few enough to need little room, many enough to need few runs. */
const GROUP_BYTES = 2 ** 26;

/** The state of the programs, in TensorFlow's variables. */
export class TfState {
  private readonly written = new Set<string>();
  private readonly session: TfSession;
  private readonly variables: ReadonlyMap<string, Variable>;
  /** Entries that some program changes. */
  private readonly changing: readonly string[];
  /** Moments of AdamW, which begin at zero. */
  private readonly moments: ReadonlySet<string>;
  /** Fed with 0 to set zeros. */
  private readonly zero: string;

  constructor(parts: {
    session: TfSession;
    variables: ReadonlyMap<string, Variable>;
    changing: readonly string[];
    moments: ReadonlySet<string>;
    zero: string;
  }) {
    const { session, variables, changing, moments, zero } = parts;
    this.session = session;
    this.variables = variables;
    this.changing = changing;
    this.moments = moments;
    this.zero = zero;
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
    const missing = empty.filter((name) => !this.moments.has(name));
    if (missing.length > 0)
      throw new LuvitError("bad-argument", `state: not written yet\n${listOffenders(missing)}`);
    const feed: Feed = { name: this.zero, shape: [], dtype: "float32", array: Float32Array.of(0) };
    this.session.run(
      [feed],
      empty.map((name) => this.variables.get(name)!.zeroed),
    );
    for (const name of empty) this.written.add(name);
  }

  /** @throws LuvitError("bad-argument") naming entries that are none. */
  read(names: readonly string[] = this.changing): Record<string, Float32Array> {
    this.refuseUnknown(names);
    this.requireWritten(names);
    const values: Record<string, Float32Array> = {};
    for (const group of this.groups(names)) {
      const results = this.session.run(
        [],
        group.map((name) => this.variables.get(name)!.read),
      );
      for (const [i, name] of group.entries()) {
        const result = results[i];
        values[name] = result instanceof Float32Array ? result : Float32Array.from(result);
      }
    }
    return values;
  }

  /** @throws LuvitError("bad-argument") naming entries that are none or do not fit; nothing has changed then. */
  write(values: ArraysByName): void {
    const names = Object.keys(values);
    this.refuseUnknown(names);
    const inputs = names.map((name) => this.variables.get(name)!.input);
    checkArrays("state", inputs, values);
    for (const group of this.groups(names)) {
      const variables = group.map((name) => this.variables.get(name)!);
      const feeds = variables.map(({ source, input: { name, value } }) => {
        return { name: source, shape: value.shape, dtype: value.dtype, array: values[name] };
      });
      this.session.run(
        feeds,
        variables.map(({ written }) => written),
      );
      for (const name of group) this.written.add(name);
    }
  }

  private groups(names: readonly string[]): string[][] {
    const groups: string[][] = [];
    let room = 0;
    for (const name of new Set(names)) {
      const bytes = 4 * sizeOf(this.variables.get(name)!.input.value.shape);
      if (groups.length === 0 || bytes > room) {
        groups.push([]);
        room = GROUP_BYTES;
      }
      groups.at(-1)!.push(name);
      room -= bytes;
    }
    return groups;
  }

  private refuseUnknown(names: readonly string[]): void {
    const unknown = names.filter((name) => !this.variables.has(name));
    if (unknown.length === 0) return;
    throw new LuvitError("bad-argument", `state: no such entries\n${listOffenders(unknown)}`);
  }
}
