import type { PickleInput } from "./pickleInput";

/** The stack machine that opcodes work on. */
export interface PickleMachine {
  readonly input: PickleInput;
  readonly memo: ReadonlyMap<number, unknown>;
  push(value: unknown): void;
  pop(): unknown;
  top(): unknown;
  mark(): void;
  popMark(): unknown[];
  popTuple(length: number): void;
  remember(index: number): void;
  recall(index: number): void;
  append(items: readonly unknown[]): void;
  addToSet(items: readonly unknown[]): void;
  setItems(items: readonly unknown[]): void;
  global(module: unknown, name: unknown): void;
  call(): void;
  build(): void;
  persistent(): void;
}

/** Ends a pickle. */
export const STOP = 0x2e;

type Handler = (machine: PickleMachine) => void;

/** Sets `[key, value, key, value, …]` on a dict. */
export function fillMap(target: Map<unknown, unknown>, items: readonly unknown[]): Map<unknown, unknown> {
  for (let i = 0; i + 1 < items.length; i += 2) target.set(items[i], items[i + 1]);
  return target;
}

/** Opcode, name in pickletools, effect. Absent opcodes (INST, OBJ, EXT1, NEWOBJ_EX, …) are refused. */
const opcodes: readonly (readonly [code: number, name: string, handler: Handler])[] = [
  [0x80, "PROTO", (m) => void m.input.uint8()],
  [0x95, "FRAME", (m) => void m.input.skip(8)],
  [0x28, "MARK", (m) => m.mark()],
  [0x30, "POP", (m) => void m.pop()],
  [0x31, "POP_MARK", (m) => void m.popMark()],
  [0x32, "DUP", (m) => m.push(m.top())],
  [0x4e, "NONE", (m) => m.push(null)],
  [0x88, "NEWTRUE", (m) => m.push(true)],
  [0x89, "NEWFALSE", (m) => m.push(false)],
  [0x4a, "BININT", (m) => m.push(m.input.int32())],
  [0x4b, "BININT1", (m) => m.push(m.input.uint8())],
  [0x4d, "BININT2", (m) => m.push(m.input.uint16())],
  [0x8a, "LONG1", (m) => m.push(m.input.long(m.input.uint8()))],
  [0x8b, "LONG4", (m) => m.push(m.input.long(m.input.uint32()))],
  [0x47, "BINFLOAT", (m) => m.push(m.input.bigEndianDouble())],
  [0x54, "BINSTRING", (m) => m.push(m.input.text(m.input.uint32()))],
  [0x55, "SHORT_BINSTRING", (m) => m.push(m.input.text(m.input.uint8()))],
  [0x58, "BINUNICODE", (m) => m.push(m.input.text(m.input.uint32()))],
  [0x8c, "SHORT_BINUNICODE", (m) => m.push(m.input.text(m.input.uint8()))],
  [0x8d, "BINUNICODE8", (m) => m.push(m.input.text(m.input.uint64()))],
  [0x42, "BINBYTES", (m) => m.push(m.input.bytes(m.input.uint32()))],
  [0x43, "SHORT_BINBYTES", (m) => m.push(m.input.bytes(m.input.uint8()))],
  [0x8e, "BINBYTES8", (m) => m.push(m.input.bytes(m.input.uint64()))],
  [0x96, "BYTEARRAY8", (m) => m.push(m.input.bytes(m.input.uint64()))],
  [0x5d, "EMPTY_LIST", (m) => m.push([])],
  [0x61, "APPEND", (m) => m.append([m.pop()])],
  [0x65, "APPENDS", (m) => m.append(m.popMark())],
  [0x6c, "LIST", (m) => m.push(m.popMark())],
  [0x29, "EMPTY_TUPLE", (m) => m.push([])],
  [0x74, "TUPLE", (m) => m.push(m.popMark())],
  [0x85, "TUPLE1", (m) => m.popTuple(1)],
  [0x86, "TUPLE2", (m) => m.popTuple(2)],
  [0x87, "TUPLE3", (m) => m.popTuple(3)],
  [0x7d, "EMPTY_DICT", (m) => m.push(new Map())],
  [0x64, "DICT", (m) => m.push(fillMap(new Map(), m.popMark()))],
  [
    0x73,
    "SETITEM",
    (m) => {
      const value = m.pop();
      m.setItems([m.pop(), value]);
    },
  ],
  [0x75, "SETITEMS", (m) => m.setItems(m.popMark())],
  [0x8f, "EMPTY_SET", (m) => m.push(new Set())],
  [0x90, "ADDITEMS", (m) => m.addToSet(m.popMark())],
  [0x91, "FROZENSET", (m) => m.push(new Set(m.popMark()))],
  [0x63, "GLOBAL", (m) => m.global(m.input.line(), m.input.line())],
  [
    0x93,
    "STACK_GLOBAL",
    (m) => {
      const name = m.pop();
      m.global(m.pop(), name);
    },
  ],
  [0x52, "REDUCE", (m) => m.call()],
  [0x81, "NEWOBJ", (m) => m.call()],
  [0x62, "BUILD", (m) => m.build()],
  [0x51, "BINPERSID", (m) => m.persistent()],
  [0x68, "BINGET", (m) => m.recall(m.input.uint8())],
  [0x6a, "LONG_BINGET", (m) => m.recall(m.input.uint32())],
  [0x71, "BINPUT", (m) => m.remember(m.input.uint8())],
  [0x72, "LONG_BINPUT", (m) => m.remember(m.input.uint32())],
  [0x94, "MEMOIZE", (m) => m.remember(m.memo.size)],
];

/** What each allowed opcode does. */
export const opcodeHandlers: ReadonlyMap<number, Handler> = new Map(
  opcodes.map(([code, , handler]) => [code, handler]),
);
