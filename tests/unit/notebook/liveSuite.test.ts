import assert from "node:assert/strict";
import { afterEach, before, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type SuiteRun, suite } from "../../../src/analysis/suite";
import { beginWork } from "../../../src/core/progress";
import { startBackend } from "../../../src/core/tf";
import { imageFolder } from "../../../src/data/imageFolder";
import * as transforms from "../../../src/data/transforms";
import { live } from "../../../src/notebook";
import { LiveSuiteView } from "../../../src/notebook/liveParts";
import type { DisplayMessage } from "../../../src/notebook/outputs";
import { captureDisplays } from "../../../src/notebook/tslab";
import { temporaryFolder, tinyClassifier, writeImages } from "../train/support";

before(async () => void (await startBackend()));

interface Shown {
  readonly html: string;
  readonly text: string;
  readonly id?: string;
}

let shown: Shown[] = [];
let restore = () => {};
beforeEach(() => {
  shown = [];
  restore = captureDisplays(({ data, transient }: DisplayMessage) => {
    const { "text/html": html, "text/plain": text } = data;
    shown.push({ html: String(html), text: String(text), id: transient?.display_id });
  });
});
afterEach(() => restore());

async function start(options: object = {}): Promise<SuiteRun> {
  const set = await imageFolder(await writeImages(temporaryFolder()), {
    transform: transforms.evaluation(16),
  });
  const c = { types: ["fog", "snow"] as const, severities: [1, 2], open: () => set.take(6) };
  const own = { "mine & yours": set };
  return suite(tinyClassifier(), { in1k: set, own, c }, { batchSize: 4, engine: "eager", ...options });
}

describe("a suite in a notebook", () => {
  it("is one display: a bar for each set, rows as they are finished, and its end", async () => {
    const run = await start();
    const views: string[] = [];
    const view = new LiveSuiteView(run);
    run.onProgress(() => views.push(view.html()));
    live(run);
    const result = await run.done;
    await sleep(1);
    assert.equal(new Set(shown.map(({ id }) => id)).size, 1);
    const { html, text } = shown.at(-1)!;
    assert.match(html, /<b>suite<\/b> <b style="[^"]*">done<\/b>/);
    for (const set of ["ImageNet-1K", "mine &amp; yours", "ImageNet-C"])
      assert.ok(html.includes(`<span>${set}</span>`));
    assert.match(html, /24 of 24 · 4 of 4 parts/);
    assert.equal(html.match(/<tr>/g)!.length, 1 + result.metrics.length);
    assert.match(text, /^suite 6 of 6 parts · 48 of 48 images · [\d.,]+\/s · \S.* · memory .* · done$/);
    const rows = (page: string) => page.match(/<tr>/g)?.length ?? 0;
    assert.equal(rows(views[0]), 0, "nothing is finished yet");
    assert.match(views[0], /in1k, 0 of 6 parts/);
    assert.match(views[0], /4 of about 72 images/, "what is not counted yet is taken to be as large");
    assert.match(views[0], /<span>ImageNet-C<\/span>[\s\S]*waiting/);
    assert.equal(rows(views[3]), 3, "top-1 and top-5 of the first set under their head");
  });

  it("stays as it was when it is stopped or fails, and goes on with what is kept", async () => {
    const out = temporaryFolder();
    const run = await start({ out });
    live(run);
    run.onProgress(({ part }) => void (part === "own/mine & yours" && run.stop()));
    await run.done;
    await sleep(1);
    assert.match(shown.at(-1)!.text, /1 of 6 parts · 16 of about \d+ images.* stopped$/);
    const other = suite(tinyClassifier(5), { in1k: await images() }, { out, engine: "eager" });
    live(other);
    await other.done.catch(() => {});
    await sleep(1);
    assert.match(shown.at(-1)!.html, /failed<\/b>[\s\S]*the answers there are about something else/);
  });
});

const images = async () =>
  imageFolder(await writeImages(temporaryFolder()), { transform: transforms.evaluation(16) });

describe("an analysis in a notebook", () => {
  it("shows a bar with the time left once it takes longer than a second", async () => {
    const quick = beginWork({ label: "quick", total: 4, kept: 0 });
    quick.advance(4);
    quick.end("done");
    const slow = beginWork({ label: "entropy, <mine>", total: 100, kept: 40 });
    slow.advance(10);
    await sleep(1100);
    slow.advance(20);
    await sleep(250);
    assert.match(shown.at(-1)!.text, /^entropy, <mine> 60 of 100 · [\d.]+\/s · 1\.\d s$/);
    for (const done of [22, 24, 26]) {
      slow.advance(done);
      await sleep(250);
    }
    assert.match(shown.at(-1)!.text, /^entropy, <mine> 66 of 100 · [\d.]+\/s · \S+ s · \S+ s left$/);
    slow.end("stopped");
    const { html, text } = shown.at(-1)!;
    assert.match(text, /^entropy, <mine> 66 of 100 · .* · stopped$/);
    assert.match(html, /entropy, &lt;mine&gt;/);
    assert.ok(shown.every((one) => one.id === shown[0].id && !one.text.startsWith("quick")));
  });
});
