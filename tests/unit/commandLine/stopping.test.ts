import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Stopping } from "../../../src/commandLine/signals";

const expected = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

const signals = Object.keys(expected) as (keyof typeof expected)[];

for (const signal of signals) {
  const status = expected[signal];
  test(`${signal} once asks to stop, twice ends at once with ${status}`, async () => {
    const exits: unknown[] = [];
    const exit = mock.method(process, "exit", ((code: unknown) => void exits.push(code)) as never);
    const write = mock.method(process.stderr, "write", () => true);
    const before = signals.map((name) => process.listeners(name));
    try {
      let asked = 0;
      const ended = await Stopping.around(
        "step",
        () => {
          asked++;
        },
        async () => {
          process.emit(signal);
          assert.deepEqual([asked, exits], [1, []]);
          process.emit(signal);
          return "as far as it came";
        },
      );
      assert.deepEqual(ended, { value: "as far as it came", status });
      assert.equal(exits[0], status);
    } finally {
      exit.mock.restore();
      write.mock.restore();
      for (const [i, name] of signals.entries()) {
        for (const listener of process.listeners(name))
          if (!before[i].includes(listener)) process.off(name, listener);
      }
    }
  });
}

test("without a signal nothing is left behind", async () => {
  const before = process.listenerCount("SIGINT");
  const { value, status } = await Stopping.around("image", assert.fail, async () => 7);
  assert.deepEqual([value, status, process.listenerCount("SIGINT")], [7, undefined, before]);
});
