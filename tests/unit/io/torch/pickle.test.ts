import assert from "node:assert/strict";
import { test } from "node:test";
import { unpickle } from "../../../../src/io/torch/pickle";
import { PickleInput } from "../../../../src/io/torch/pickleInput";
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
