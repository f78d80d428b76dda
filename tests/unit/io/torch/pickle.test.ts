import assert from "node:assert/strict";
import { test } from "node:test";
import { PlainRecord, unpickle } from "../../../../src/io/torch/pickle";
import { PickleEndsEarly, PickleInput } from "../../../../src/io/torch/pickleInput";
import { opcodeHandlers } from "../../../../src/io/torch/pickleOpcodes";
import { assertRejects } from "../support";

const STOP = 0x2e;
const read = (...bytes: number[]) =>
  unpickle(new PickleInput("p", Uint8Array.of(0x80, 2, ...bytes)), { source: "p", globals: new Map() });

const NONE = 0x4e;
/** What an opcode finds missing when nothing was put on the stack before it, and its operand. */
const starved: Readonly<Record<string, readonly number[][]>> = {
  "takes from an empty stack": [
    [0x30],
    ...[[0x61], [0x73], [0x93], [0x52], [0x81], [0x62], [0x85], [0x86], [0x87]],
    ...[
      [NONE, 0x73],
      [NONE, 0x86],
      [NONE, NONE, 0x87],
      [NONE, 0x93],
      [NONE, 0x52],
    ],
    [],
  ],
  "looks at an empty stack": [[0x32], [0x71, 0], [0x72, 0, 0, 0, 0], [0x94], [NONE, 0x62], [NONE, 0x61]],
  "has no matching mark": [[0x31], [0x65], [0x6c], [0x74], [0x64], [0x75], [0x90], [0x91]],
  "recalls 7, which was never stored": [
    [0x68, 7],
    [0x6a, 7, 0, 0, 0],
  ],
};

for (const [problem, programs] of Object.entries(starved)) {
  test("numbers are read where the pickle begins, also within other bytes", () => {
    const bytes = Buffer.alloc(64, 0xff);
    const own = bytes.subarray(5, 45);
    const view = new DataView(own.buffer, own.byteOffset, own.length);
    view.setUint8(0, 200);
    view.setUint16(1, 0x1234, true);
    view.setUint32(3, 0x89abcdef, true);
    view.setInt32(7, -5, true);
    view.setBigUint64(11, 2n ** 40n, true);
    view.setFloat64(19, -0.1, false);
    own.set(Buffer.from("größe"), 27);
    own.set(Buffer.from("a\nbc"), 34);
    const input = new PickleInput("x", own);
    assert.deepEqual(
      [input.uint8(), input.uint16(), input.uint32(), input.int32(), input.uint64(), input.bigEndianDouble()],
      [200, 0x1234, 0x89abcdef, -5, 2 ** 40, -0.1],
    );
    assert.deepEqual([input.text(7), input.line()], ["größe", "a"]);
    assert.deepEqual([...input.bytes(2)], [0x62, 0x63]);
    assert.throws(() => input.skip(own.length - input.position + 1), PickleEndsEarly);
    assert.equal(input.skip(own.length - input.position), 38);
    assert.throws(() => input.uint8(), PickleEndsEarly);
  });

  test("integers of any length are two's complement, lowest byte first", () => {
    const read = (...bytes: number[]) => new PickleInput("x", Uint8Array.from(bytes)).long(bytes.length);
    assert.deepEqual([read(), read(0x7f), read(0x80), read(0xff), read(0xff, 0)], [0, 127, -128, -1, 255]);
    assert.deepEqual([read(0, 0x80), read(0xff, 0x7f)], [-32768, 32767]);
    assert.equal(read(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f), Number.MAX_SAFE_INTEGER);
    assert.equal(read(0, 0, 0, 0, 0, 0, 0x20), 2n ** 53n);
    assert.throws(() => new PickleInput("x", new Uint8Array(300)).long(257), /an integer of 257 bytes/);
    assert.equal(new PickleInput("x", new Uint8Array(300)).long(256), 0);
  });

  test(`a pickle that ${problem} is refused with these words, whichever opcode does so`, async () => {
    for (const program of programs) {
      const name = program.map((byte) => byte.toString(16)).join(" ");
      await assertRejects(
        async () => assert.fail(`${name} gave ${read(...program, STOP)}`),
        "bad-file",
        problem,
      );
    }
  });
}

test("every opcode that needs something before it is among these", () => {
  const covered = new Set(Object.values(starved).flatMap((programs) => programs.flat()));
  for (const opcode of opcodeHandlers.keys()) {
    if (covered.has(opcode)) continue;
    try {
      read(opcode, ...new Array(16).fill(0));
    } catch (error) {
      assert.doesNotMatch(`${error}`, /stack|mark|stored/, opcode.toString(16));
    }
  }
});

test("what stands on the stack at the end is the value", () => {
  assert.deepEqual(read(NONE, 0x88, 0x86, STOP), [null, true]);
  assert.deepEqual(read(0x28, 0x88, 0x89, 0x6c, STOP), [true, false]);
  assert.equal(read(0x88, NONE, 0x30, STOP), true);
});

test("work that goes on and on is refused in the sum, though each piece of it is small", async () => {
  const copied = {
    name: "m copy",
    construct: (items: readonly unknown[], charge: (work: number) => void) => charge(items.length),
  };
  const globals = new Map([[copied.name, copied]]);
  const tuple = (length: number) => [0x28, ...Array<number>(length).fill(NONE), 0x74];
  const name = [0x63, ...Buffer.from("m\ncopy\n"), 0x71, 0];
  /** A list of a thousand that is referred to often and copied each time. */
  const program = (times: number) => [
    ...[...name, 0x30, ...tuple(1000), 0x71, 1, 0x30, NONE],
    ...Array.from({ length: times }, () => [0x68, 0, 0x68, 1, 0x52, 0x30]).flat(),
    STOP,
  ];
  const run = (times: number) =>
    unpickle(new PickleInput("p", Uint8Array.from(program(times))), { source: "p", globals });
  // What is justified is four times the length and a thousand: about 5,100 for four copies.
  assert.equal(run(4), null);
  await assertRejects(
    async () => run(50),
    "bad-file",
    "p: damaged pickle: it describes more work than its length justifies",
  );
});

test("so is the state of a record that is set again and again", async () => {
  const made = { name: "m record", construct: () => new PlainRecord("m.record") };
  const globals = new Map([[made.name, made]]);
  const entries = Array.from({ length: 256 }, (_, i) => [0x4b, i, NONE]).flat();
  /** A record, a dict of 256 entries, and the dict as the record's state so many times. */
  const program = (times: number) => [
    ...[0x63, ...Buffer.from("m\nrecord\n"), 0x29, 0x52, 0x7d, 0x28, ...entries, 0x75, 0x71, 1, 0x30],
    ...Array.from({ length: times }, () => [0x68, 1, 0x62]).flat(),
    STOP,
  ];
  const run = (times: number) =>
    unpickle(new PickleInput("p", Uint8Array.from(program(times))), { source: "p", globals });
  // Justified are 4 * (800 + 3 * times) + 1024: about 16 times 256.
  assert.equal((run(16) as PlainRecord).fields.size, 256);
  await assertRejects(
    async () => run(40),
    "bad-file",
    "p: damaged pickle: it describes more work than its length justifies",
  );
});
