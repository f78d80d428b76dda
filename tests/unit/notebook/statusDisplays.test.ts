import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { inspect } from "node:util";
import { startBackend, TfjsStatus } from "../../../src/core/tf";
import { SkipReport } from "../../../src/data/dataset";
import { EngineStatus } from "../../../src/engine";
import { live } from "../../../src/notebook";
import { mimeBundleOf } from "../../../src/notebook/mime";
import { captureDisplays } from "../../../src/notebook/tslab";
import { Run } from "../../../src/train";
import { tinyClassifier } from "../train/support";

before(async () => void (await startBackend()));

describe("what ready() gives back", () => {
  const reasons = ["tfjs tensorflow not used: <it> is not installed"];
  const cells = new TfjsStatus("wasm", "a CPU, 1 thread, SIMD", reasons);
  const engine = { engine: "onnxruntime", device: "cpu", threads: 2, precision: "float32" } as const;
  const status = new EngineStatus(engine, cells, reasons, "1.2.3");

  it("is one line that says what it runs on, in words that are no failure", () => {
    const line = inspect(status);
    assert.match(
      line,
      /^engine: onnxruntime cpu \(2 threads, float32\) · cells: tfjs wasm .* · luvit 1\.2\.3$/,
    );
    assert.doesNotMatch(line, /\n|not /);
    assert.deepEqual(status.passedOver, reasons);
  });

  it("shows the same in a notebook, and folded what was not taken and why", async () => {
    const html = String((await mimeBundleOf(status))["text/html"]);
    const [, seen, folded] = /<summary[^>]*>(.*?)<\/summary>(.*)<\/details>/s.exec(html)!;
    assert.equal(seen, "<b>LUViT 1.2.3</b> runs on onnxruntime cpu (2 threads, float32)");
    assert.match(folded!, /Single operations in cells: tfjs wasm/);
    assert.match(folded!, /Not taken: tfjs tensorflow not used: &lt;it&gt; is not installed/);
  });

  it("of a machine without a graph engine says that operations run one by one", async () => {
    const eager = new EngineStatus({ ...engine, engine: "eager" }, cells, [], "1.2.3");
    const html = String((await mimeBundleOf(eager))["text/html"]);
    assert.match(html, /runs on tfjs wasm .*Training, evaluation and analysis: op by op, tfjs wasm/s);
    const graphs = String((await mimeBundleOf(status))["text/html"]);
    assert.match(graphs, /Training, evaluation and analysis: onnxruntime cpu \(2 threads, float32\)</);
  });
});

describe("a run as the value of a cell", () => {
  const record = (step: number, loss: number) => ({ step, epoch: 0, loss, lr: 1e-3, imagesPerSecond: 10 });
  const runOf = (out?: string) =>
    new Run({
      name: "tuning",
      model: tinyClassifier(),
      totalSteps: 2,
      out,
      report: new SkipReport(),
      body: async (driver) => {
        driver.record(record(1, 3));
        driver.record(record(2, 2.5));
      },
    });
  const text = async (value: unknown) => String((await mimeBundleOf(value))["text/plain"]);

  it("says all about itself where nothing else does", async () => {
    const run = runOf();
    const result = await run.done;
    assert.equal(await text(run), "Run(tuning) done · step 2/2 · loss 2.5000");
    assert.equal(await text(result), await text(run));
  });

  it("below its live display says only what that does not: what it led to and where it lies", async () => {
    const restore = captureDisplays(() => {});
    const [run, saved] = [runOf(), runOf("runs/tuning")];
    live(run);
    live(saved);
    assert.equal(await text(run), "tuning goes on; its display is above");
    const result = await run.done;
    await saved.done;
    restore();
    assert.equal(await text(run), "tuning: loss 3 → 2.5, nothing is saved");
    assert.equal(await text(result), await text(run));
    assert.equal(await text(saved), "tuning: loss 3 → 2.5, saved in runs/tuning");
  });
});
