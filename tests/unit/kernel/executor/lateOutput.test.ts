import assert from "node:assert/strict";
import { test } from "node:test";
import { currentExecution } from "../../../../src/kernel/executor/execution";
import { silence } from "../../../../src/kernel/jupyter/publisher";
import { createSignals, slot } from "../../../../src/kernel/signals";
import { Cells } from "../cells";

/** Prints as what belongs to no cell does: a thread's message, an addon's callback. */
const printOutside = (text: string) => currentExecution.exit(() => process.stdout.write(text));

test("what belongs to no cell is shown by the last cell that people see, not by one that nobody sees", async () => {
  const own = process.stdout.write;
  const cells = new Cells({ stray: undefined });
  const taken = process.stdout.write as (...given: unknown[]) => boolean;
  // What the runner of tests reports, in bytes, goes its way.
  process.stdout.write = function (this: NodeJS.WriteStream, ...given: unknown[]) {
    return Reflect.apply(typeof given[0] === "string" ? taken : own, process.stdout, given) as boolean;
  } as typeof process.stdout.write;
  try {
    const first = await cells.run("1");
    printOutside("before");
    await cells.executor.execute('console.log("unseen")', "expression", silence);
    printOutside(", behind a hidden one");
    assert.deepEqual(
      first.outputs.map((output) => (output.output_type === "stream" ? output.text : output.output_type)),
      ["execute_result", "before, behind a hidden one"],
    );
    const second = await cells.run('setTimeout(() => console.log("late"), 20); 2');
    printOutside("of the second; ");
    await cells.run("await new Promise((done) => setTimeout(done, 60)); 3");
    const texts = second.outputs.map((output) => (output.output_type === "stream" ? output.text : ""));
    assert.equal(texts.join(""), "of the second; late\n", "a cell's timer is its own, whatever ran since");
    assert.ok(!first.outputs.some((output) => output.output_type === "stream" && /second/.test(output.text)));
  } finally {
    cells.close();
  }
});

test("each number that the threads share has a place of its own", () => {
  const places = Object.values(slot);
  assert.equal(new Set(places).size, places.length);
  assert.ok(places.every((place) => place >= 0 && place < createSignals().length));
});
