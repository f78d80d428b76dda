import assert from "node:assert/strict";
import { test } from "node:test";
import { blamesMemory, type Death, describeDeath } from "../../../src/engine/process/death";

const GiB = 2 ** 30;

const killed: Death = {
  what: "the onnxruntime engine process (pid 7)",
  exitCode: null,
  signal: "SIGKILL",
  oomBefore: { group: 3, machine: 5 },
  oomAfter: { group: 3, machine: 5 },
  memory: { resident: 2 * GiB, peak: 3 * GiB },
  memoryLimit: 8 * GiB,
  unfinished: ["run step"],
  output: "",
};

const cases: [what: string, change: Partial<Death>, blamed: boolean][] = [
  ["killed while the kernel's counts stood still", {}, false],
  [
    "killed with nearly all memory, the counts standing still",
    { memory: { resident: 7.9 * GiB, peak: 8 * GiB } },
    false,
  ],
  ["a kill was counted in its control group", { oomAfter: { group: 4, machine: 6 } }, true],
  ["another control group's process was ended", { oomAfter: { group: 3, machine: 6 } }, false],
  [
    "a kill was counted on the machine, which does not tell of groups",
    { oomBefore: { machine: 5 }, oomAfter: { machine: 6 } },
    true,
  ],
  ["nothing is counted here, and it had little", { oomBefore: {}, oomAfter: {} }, false],
  [
    "nothing is counted here, and it had nearly all",
    { oomBefore: {}, oomAfter: {}, memory: { resident: 7.5 * GiB, peak: 7.6 * GiB } },
    true,
  ],
  [
    "nothing at all is known",
    { oomBefore: {}, oomAfter: {}, memory: undefined, memoryLimit: undefined },
    false,
  ],
  ["it crashed", { signal: "SIGSEGV" }, false],
  ["it crashed for want of memory, as it wrote", { signal: "SIGABRT", output: "std::bad_alloc" }, true],
];

for (const [what, change, blamed] of cases) {
  test(`memory ${blamed ? "is" : "is not"} blamed: ${what}`, () => {
    const message = describeDeath({ ...killed, ...change });
    assert.equal(blamesMemory(message), blamed, message);
    assert.match(message, new RegExp(change.signal ?? "SIGKILL"));
  });
}

test("of what it was to do three are named and the others counted", () => {
  const told = (count: number) =>
    /It (?:was to|had).*?\./.exec(
      describeDeath({ ...killed, unfinished: Array.from({ length: count }, (_, i) => `do ${i}`) }),
    )![0];
  assert.deepEqual([0, 1, 3, 4, 9].map(told), [
    "It had nothing to do.",
    "It was to do 0.",
    "It was to do 0, then do 1, then do 2.",
    "It was to do 0, then do 1, then do 2 and 1 more.",
    "It was to do 0, then do 1, then do 2 and 6 more.",
  ]);
});
