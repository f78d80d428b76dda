import { LuvitError } from "../core/errors";
import { PickleInput } from "./pickleInput";

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

/** An instance of a class that is known by name only: its fields, no behaviour (for instance argparse.Namespace). */
export class PlainRecord {
  fields = new Map<unknown, unknown>();

  constructor(readonly typeName: string) {}
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
 * Throws LuvitError "refused-file" naming the global or opcode, "bad-file" when the bytes are no pickle.
 * Reference: CPython Lib/pickletools.py.
 */
export function unpickle(input: PickleInput, options: PickleOptions): unknown {
  return new Unpickler(input, options).run();
}

type Handler = (machine: Unpickler) => void;

class Unpickler {
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
      const handler = handlers[opcode];
      if (!handler) this.refuse(`opcode 0x${opcode.toString(16).padStart(2, "0")}`);
      handler(this);
    }
    return this.fail(`more than ${MOST_OPCODES} steps`);
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
    if (!outer) return this.fail("has no matching mark");
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
    if (typeof module !== "string" || typeof name !== "string") return this.fail("names a global by no text");
    const known = this.options.globals.get(`${module} ${name}`);
    if (!known) return this.refuse(`${module}.${name}`);
    this.push(known);
  }

  /** REDUCE and NEWOBJ: replaces (callable, args) by what the allow-listed construction yields. */
  call(): void {
    const args = this.pop();
    const callee = this.pop();
    const { globals } = this.options;
    const known = isGlobal(callee) && globals.get(callee.name) === callee ? callee : undefined;
    if (!known) return this.fail("calls something that is not a function");
    if (!known.construct) return this.refuse(`a call of ${known.name.replace(" ", ".")}`);
    if (!Array.isArray(args)) return this.fail("calls with arguments that are no tuple");
    this.push(known.construct(args, this.charge));
  }

  build(): void {
    const state = this.pop();
    const target = this.top();
    if (target instanceof PlainRecord) {
      if (!(state instanceof Map)) return this.fail(`sets ${target.typeName} from something that is no dict`);
      this.charge(state.size);
      for (const [key, value] of state) target.fields.set(key, value);
      return;
    }
    // An OrderedDict of torch carries `_metadata` here, which no reader needs.
    if (!(target instanceof Map)) this.refuse("state set on an object that is not a dict");
  }

  persistent(): void {
    const { persistentLoad } = this.options;
    if (!persistentLoad) return this.refuse("a reference to data outside the pickle");
    this.push(persistentLoad(this.pop()));
  }

  append(items: readonly unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list)) return this.fail("appends to something that is no list");
    for (const item of items) list.push(item);
  }

  addToSet(items: readonly unknown[]): void {
    const set = this.top();
    if (!(set instanceof Set)) return this.fail("adds to something that is no set");
    for (const item of items) set.add(item);
  }

  setItems(items: readonly unknown[]): void {
    const target = this.top();
    if (!(target instanceof Map)) return this.fail("sets items of something that is no dict");
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

function fillMap(target: Map<unknown, unknown>, items: readonly unknown[]): Map<unknown, unknown> {
  for (let i = 0; i + 1 < items.length; i += 2) target.set(items[i], items[i + 1]);
  return target;
}

const STOP = 0x2e;

/** Opcode -> what it does. Names as in pickletools. Absent opcodes (INST, OBJ, EXT*, NEWOBJ_EX, …) are refused. */
const handlers: Readonly<Record<number, Handler>> = {
  0x80: (m) => void m.input.uint8(), // PROTO
  0x95: (m) => void m.input.skip(8), // FRAME
  0x28: (m) => m.mark(), // MARK
  0x30: (m) => void m.pop(), // POP
  0x31: (m) => void m.popMark(), // POP_MARK
  0x32: (m) => m.push(m.top()), // DUP
  0x4e: (m) => m.push(null), // NONE
  0x88: (m) => m.push(true), // NEWTRUE
  0x89: (m) => m.push(false), // NEWFALSE
  0x4a: (m) => m.push(m.input.int32()), // BININT
  0x4b: (m) => m.push(m.input.uint8()), // BININT1
  0x4d: (m) => m.push(m.input.uint16()), // BININT2
  0x8a: (m) => m.push(m.input.long(m.input.uint8())), // LONG1
  0x8b: (m) => m.push(m.input.long(m.input.uint32())), // LONG4
  0x47: (m) => m.push(m.input.bigEndianDouble()), // BINFLOAT
  0x54: (m) => m.push(m.input.text(m.input.uint32())), // BINSTRING
  0x55: (m) => m.push(m.input.text(m.input.uint8())), // SHORT_BINSTRING
  0x58: (m) => m.push(m.input.text(m.input.uint32())), // BINUNICODE
  0x8c: (m) => m.push(m.input.text(m.input.uint8())), // SHORT_BINUNICODE
  0x8d: (m) => m.push(m.input.text(m.input.uint64())), // BINUNICODE8
  0x42: (m) => m.push(m.input.bytes(m.input.uint32())), // BINBYTES
  0x43: (m) => m.push(m.input.bytes(m.input.uint8())), // SHORT_BINBYTES
  0x8e: (m) => m.push(m.input.bytes(m.input.uint64())), // BINBYTES8
  0x96: (m) => m.push(m.input.bytes(m.input.uint64())), // BYTEARRAY8
  0x5d: (m) => m.push([]), // EMPTY_LIST
  0x61: (m) => m.append([m.pop()]), // APPEND
  0x65: (m) => m.append(m.popMark()), // APPENDS
  0x6c: (m) => m.push(m.popMark()), // LIST
  0x29: (m) => m.push([]), // EMPTY_TUPLE
  0x74: (m) => m.push(m.popMark()), // TUPLE
  0x85: (m) => m.popTuple(1), // TUPLE1
  0x86: (m) => m.popTuple(2), // TUPLE2
  0x87: (m) => m.popTuple(3), // TUPLE3
  0x7d: (m) => m.push(new Map()), // EMPTY_DICT
  0x64: (m) => m.push(fillMap(new Map(), m.popMark())), // DICT
  0x73: (m) => {
    const value = m.pop(); // SETITEM
    m.setItems([m.pop(), value]);
  },
  0x75: (m) => m.setItems(m.popMark()), // SETITEMS
  0x8f: (m) => m.push(new Set()), // EMPTY_SET
  0x90: (m) => m.addToSet(m.popMark()), // ADDITEMS
  0x91: (m) => m.push(new Set(m.popMark())), // FROZENSET
  0x63: (m) => m.global(m.input.line(), m.input.line()), // GLOBAL
  0x93: (m) => {
    const name = m.pop(); // STACK_GLOBAL
    m.global(m.pop(), name);
  },
  0x52: (m) => m.call(), // REDUCE
  0x81: (m) => m.call(), // NEWOBJ
  0x62: (m) => m.build(), // BUILD
  0x51: (m) => m.persistent(), // BINPERSID
  0x68: (m) => m.recall(m.input.uint8()), // BINGET
  0x6a: (m) => m.recall(m.input.uint32()), // LONG_BINGET
  0x71: (m) => m.remember(m.input.uint8()), // BINPUT
  0x72: (m) => m.remember(m.input.uint32()), // LONG_BINPUT
  0x94: (m) => m.remember(m.memo.size), // MEMOIZE
};
