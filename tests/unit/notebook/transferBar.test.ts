import assert from "node:assert/strict";
import { test } from "node:test";
import { TransferBar } from "../../../src/notebook/transferBar";

test("a download says how many bytes have come, how fast, and how long the rest will take", () => {
  let now = 0;
  const bar = new TransferBar({ label: "model.safetensors", total: 400e6, kept: 100e6 }, () => now);
  assert.equal(bar.text(), "model.safetensors 100.0 of 400.0 MB · 100.0 MB were here · 0 ms");
  now = 10_000;
  bar.received = 100e6;
  assert.equal(
    bar.text(),
    "model.safetensors 200.0 of 400.0 MB · 100.0 MB were here · 10.0 MB/s · 10.0 s · 20.0 s left",
  );
  assert.equal(bar.share(), 0.5);
  bar.end("stopped");
  assert.match(bar.html(), /width:50\.0%;background:#d0404f/);
  assert.match(bar.text(), /stopped; what has come is kept$/);
});
