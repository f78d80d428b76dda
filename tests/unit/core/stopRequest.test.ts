import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { interruptible, withStopRequest } from "../../../src/core/stopRequest";
import { isLuvitError } from "../nn/support";

/** Without this the signal would end the test. */
async function whileListening(body: () => Promise<void>): Promise<void> {
  const keep = () => {};
  process.on("SIGINT", keep);
  // A signal listener alone does not keep Node running.
  const timer = setInterval(() => {}, 1000);
  const before = process.listenerCount("SIGINT");
  try {
    await body();
    assert.equal(process.listenerCount("SIGINT"), before, "listeners stayed");
  } finally {
    clearInterval(timer);
    process.off("SIGINT", keep);
  }
}

const untilStopped = (signal: AbortSignal) =>
  new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));

test("an interrupt asks to stop, and its listener goes with the work", () =>
  whileListening(async () => {
    const result = await withStopRequest(undefined, async (request) => {
      assert.equal(request.stopped, false);
      process.kill(process.pid, "SIGINT");
      await untilStopped(request.signal);
      return request.stopped;
    });
    assert.equal(result, true);
  }));

test("the listener goes when the work fails", () =>
  whileListening(() =>
    assert.rejects(
      withStopRequest(undefined, async () => {
        throw new Error("no");
      }),
      /no/,
    ),
  ));

test("the caller's signal asks to stop, also one that was aborted before", () =>
  whileListening(async () => {
    const controller = new AbortController();
    await withStopRequest(controller.signal, async (request) => {
      controller.abort();
      assert.equal(request.stopped, true);
    });
    await withStopRequest(controller.signal, async (request) => assert.equal(request.stopped, true));
    const kept = new AbortController();
    for (const end of [() => {}, () => Promise.reject(new Error("no"))])
      await withStopRequest(kept.signal, async () => {
        assert.equal(getEventListeners(kept.signal, "abort").length, 1);
        await end();
      }).catch(() => {});
    assert.equal(getEventListeners(kept.signal, "abort").length, 0, "listeners stayed");
  }));

test("work that is interrupted rejects with what was stopped", () =>
  whileListening(() =>
    assert.rejects(
      interruptible(undefined, "loading a/b", async (signal) => {
        process.kill(process.pid, "SIGINT");
        await untilStopped(signal);
        signal.throwIfAborted();
      }),
      isLuvitError("interrupted", "loading a/b was stopped"),
    ),
  ));
