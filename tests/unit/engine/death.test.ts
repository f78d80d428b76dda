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

test("how it ended is told by code, by signal or by what went wrong before, memory where it wrote of it", () => {
  const how = (change: Partial<Death>) =>
    /died: (.*?)\. It was to/s.exec(describeDeath({ ...killed, ...change }))![1];
  for (const [change, told] of [
    [{ signal: null, exitCode: 0 }, "exited with code 0"],
    [
      { signal: null, exitCode: 3, output: "cannot allocate memory" },
      "exited with code 3, out of memory by what it wrote last",
    ],
    [{ signal: "SIGTERM" }, "ended by SIGTERM"],
    [
      { signal: "SIGINT", output: "Failed to allocate" },
      "ended by SIGINT, out of memory by what it wrote last",
    ],
    ...["SIGABRT", "SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP"].map(
      (signal) => [{ signal }, `crashed with ${signal}`] as const,
    ),
    [{ fault: "its messages cannot be read (x)", signal: "SIGKILL" }, "its messages cannot be read (x)"],
    [{ fault: "", signal: "SIGKILL" }, ""],
  ] as const)
    assert.equal(how(change), told);
});

test("a kill is laid to the out-of-memory killer as surely as the kernel's counts say", () => {
  const who = (change: Partial<Death>) =>
    /by SIGKILL, (.*?)\. It was to/s.exec(describeDeath({ ...killed, ...change }))![1];
  const full = { resident: 7.3 * GiB, peak: 8 * GiB };
  const sure =
    "by the kernel's out-of-memory killer: it reached the memory limit of its control group or the machine's";
  const likely =
    "most likely by the kernel's out-of-memory killer, which ended a process on this machine meanwhile";
  const not = "from outside: by the kernel's counts not for want of memory";
  for (const [change, told] of [
    [{ oomAfter: { group: 4, machine: 5 } }, sure],
    [{ oomBefore: {}, oomAfter: { group: 1 } }, sure],
    [{ oomAfter: { group: 3, machine: 6 }, memory: full }, likely],
    [{ oomBefore: { machine: 5 }, oomAfter: { machine: 6 } }, likely],
    [{ oomAfter: { group: 3, machine: 6 } }, not],
    [{ oomBefore: { group: 3 }, oomAfter: { group: 3 }, memory: full }, not],
    [{ oomBefore: { machine: 5 }, oomAfter: { machine: 5 }, memory: full }, not],
    [
      { oomBefore: {}, oomAfter: {}, memory: full },
      "most likely by the out-of-memory killer: it had 7.30 GiB of 8.00 GiB",
    ],
    [
      { oomBefore: {}, oomAfter: {}, memory: { ...full, resident: 7.2 * GiB } },
      "from outside; whether for want of memory this system does not tell",
    ],
  ] as const)
    assert.equal(who(change), told, JSON.stringify(change));
});

test("its last memory and its last twelve lines are told, without the frames that Node writes", () => {
  const lines = Array.from({ length: 15 }, (_, i) => `line ${i}`);
  const output = [...lines, " 1: 0xb7a940 node::Abort() [node]", "12: 0x10e91f1 v8::internal", ""].join("\n");
  const [first, head, ...last] = describeDeath({ ...killed, output }).split("\n");
  assert.match(
    first,
    / Its memory was last 2\.00 GiB, at most 3\.00 GiB\. What its executors held is lost; /,
  );
  assert.deepEqual([head, last], ["Last lines it wrote:", lines.slice(3)]);
  const silent = describeDeath({ ...killed, output: " \n", memory: undefined });
  assert.ok(!silent.includes("\n") && !silent.includes("Its memory") && !silent.includes("  "), silent);
});
