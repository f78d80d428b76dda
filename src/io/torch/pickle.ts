import { LuvitError } from "../../core/errors";
import type { PickleInput } from "./pickleInput";
import { fillMap, opcodeHandlers, type PickleMachine, STOP } from "./pickleOpcodes";

/**
 * A name the pickle may refer to. Nothing is looked up or run: `construct` and `setState` are functions of this
 * library that build plain data.
 */
export interface PickleGlobal {
  /** "module name", as pickles write it. */
  readonly name: string;
  /** What a call (REDUCE, NEWOBJ) with these arguments yields; calls are refused when absent. `charge` limits work. */
  readonly construct?: (args: readonly unknown[], charge: (work: number) => void) => unknown;
}

/** An instance of a class that is known by name only: its fields, no behavior (for instance argparse.Namespace). */
export class PlainRecord {
  fields = new Map<unknown, unknown>();

  constructor(readonly typeName: string) {}
}

/** Something that a pickle makes first and fills afterwards (BUILD), by a function of this library. */
export abstract class PickleObject {
  abstract setState(state: unknown): void;
}

/** What surrounds a pickle. */
export interface PickleOptions {
  /** For messages. */
  readonly source: string;
  /** Allow-list by "module name". Everything else is refused. */
  readonly globals: ReadonlyMap<string, PickleGlobal>;
  /** Resolves a persistent id (torch: a storage). */
  readonly persistentLoad?: (id: unknown) => unknown;
}

/** More opcodes than any checkpoint needs; a limit on time and memory. */
const MOST_OPCODES = 4_000_000;

/**
 * Reads one pickle (protocols 2 to 5) into plain containers: dict -> Map, list and tuple -> array, bytes -> Uint8Array,
 * int -> number or bigint. Only opcodes and globals on the allow-lists are accepted; nothing is ever executed.
 * Reference: CPython Lib/pickletools.py.
 *
 * @throws LuvitError("refused-file" | "bad-file"): "refused-file" naming the global or opcode, "bad-file" when the
 * bytes are no pickle.
 */
export function unpickle(input: PickleInput, options: PickleOptions): unknown {
  return new Unpickler(input, options).run();
}

/** The stack machine that pickles are programs for. */
class Unpickler implements PickleMachine {
  readonly memo = new Map<number, unknown>();
  stack: unknown[] = [];
  private readonly outerStacks: unknown[][] = [];
  private work = 0;
  private readonly workLimit: number;

  constructor(
    readonly input: PickleInput,
    private readonly options: PickleOptions,
  ) {
    this.workLimit = 4 * input.length + 1024;
  }

  run(): unknown {
    for (let count = 0; count < MOST_OPCODES; count++) {
      const opcode = this.input.uint8();
      if (opcode === STOP) return this.pop();
      const handler = opcodeHandlers.get(opcode);
      if (!handler) this.refuse(`opcode 0x${opcode.toString(16).padStart(2, "0")}`);
      handler(this);
    }
    this.fail(`more than ${MOST_OPCODES} steps`);
  }

  push(value: unknown): void {
    this.stack.push(value);
  }

  pop(): unknown {
    if (this.stack.length === 0) this.fail("takes from an empty stack");
    return this.stack.pop();
  }

  top(): unknown {
    if (this.stack.length === 0) this.fail("looks at an empty stack");
    return this.stack[this.stack.length - 1];
  }

  mark(): void {
    this.outerStacks.push(this.stack);
    this.stack = [];
  }

  popMark(): unknown[] {
    const items = this.stack;
    const outer = this.outerStacks.pop();
    if (!outer) this.fail("has no matching mark");
    this.stack = outer;
    return items;
  }

  popTuple(length: number): void {
    if (this.stack.length < length) this.fail("takes from an empty stack");
    this.push(this.stack.splice(this.stack.length - length));
  }

  remember(index: number): void {
    this.memo.set(index, this.top());
  }

  recall(index: number): void {
    if (!this.memo.has(index)) this.fail(`recalls ${index}, which was never stored`);
    this.push(this.memo.get(index));
  }

  /** Work that is not bounded by the length of the pickle itself, such as copying a list that is referred to often. */
  readonly charge = (work: number): void => {
    this.work += work;
    if (this.work > this.workLimit) this.fail("describes more work than its length justifies");
  };

  global(module: unknown, name: unknown): void {
    if (typeof module !== "string" || typeof name !== "string") this.fail("names a global by no text");
    const known = this.options.globals.get(`${module} ${name}`);
    if (!known) this.refuse(`${module}.${name}`);
    this.push(known);
  }

  /** REDUCE and NEWOBJ: replaces (callable, args) by what the allow-listed construction yields. */
  call(): void {
    const args = this.pop();
    const callee = this.pop();
    const { globals } = this.options;
    const known = isGlobal(callee) && globals.get(callee.name) === callee ? callee : undefined;
    if (!known) this.fail("calls something that is not a function");
    if (!known.construct) this.refuse(`a call of ${known.name.replace(" ", ".")}`);
    if (!Array.isArray(args)) this.fail("calls with arguments that are no tuple");
    this.push(known.construct(args, this.charge));
  }

  build(): void {
    const state = this.pop();
    const target = this.top();
    if (target instanceof PlainRecord) {
      if (!(state instanceof Map)) this.fail(`sets ${target.typeName} from something that is no dict`);
      this.charge(state.size);
      for (const [key, value] of state) target.fields.set(key, value);
      return;
    }
    if (target instanceof PickleObject) {
      target.setState(state);
      return;
    }
    // An OrderedDict of torch carries `_metadata` here, which no reader needs.
    if (!(target instanceof Map)) this.refuse("state set on an object that is not a dict");
  }

  persistent(): void {
    const { persistentLoad } = this.options;
    if (!persistentLoad) this.refuse("a reference to data outside the pickle");
    this.push(persistentLoad(this.pop()));
  }

  append(items: readonly unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list)) this.fail("appends to something that is no list");
    for (const item of items) list.push(item);
  }

  addToSet(items: readonly unknown[]): void {
    const set = this.top();
    if (!(set instanceof Set)) this.fail("adds to something that is no set");
    for (const item of items) set.add(item);
  }

  setItems(items: readonly unknown[]): void {
    const target = this.top();
    if (!(target instanceof Map)) this.fail("sets items of something that is no dict");
    fillMap(target, items);
  }

  fail(problem: string): never {
    throw new LuvitError("bad-file", `${this.options.source}: damaged pickle: it ${problem}`);
  }

  refuse(what: string): never {
    throw new LuvitError(
      "refused-file",
      `${this.options.source}: refused, the pickle asks for ${what}. Only tensors and plain data are read and nothing ` +
        "is executed; convert the file to safetensors if you trust it.",
    );
  }
}

function isGlobal(value: unknown): value is PickleGlobal {
  return typeof value === "object" && value !== null && "name" in value;
}
