import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { KernelClient } from "../unit/kernel/client";
import { conformance } from "./conformance";
import { luvit } from "./dialects";
import { ending, habits } from "./habits";
import { tools } from "./tools";

let kernel: KernelClient;
before(async () => {
  kernel = await KernelClient.start(luvit.command);
});
after(() => kernel.close());

for (const { name, ask } of [...conformance, ...habits, ...tools]) test(name, () => ask(kernel, luvit));

test("a subscriber of some messages is told its topic, one that is too long is not", async () => {
  assert.deepEqual(await kernel.subscribe("stream"), { subscription: "stream" });
  await assert.rejects(kernel.subscribe("s".repeat(257), 500), /timed out/);
});

test(ending.name, () => ending.ask(kernel, luvit));
