import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { inspect } from "node:util";
import { type Comm, setKernelHost } from "../../../src/core/kernelHost";
import { beginWork } from "../../../src/core/progress";
import { clearOutput, type LiveRun, live, onComm, openComm, progress, widget } from "../../../src/notebook";
import { liveChart } from "../../../src/notebook/liveChart";
import { epochTable } from "../../../src/notebook/liveEpochs";
import { type LiveSuite, LiveSuiteView } from "../../../src/notebook/liveParts";
import type { LiveRecord } from "../../../src/notebook/liveRun";
import { LiveRunView } from "../../../src/notebook/liveView";
import type { DisplayMessage } from "../../../src/notebook/outputs";
import { displaysFinished, isPendingDisplay, trackDisplay } from "../../../src/notebook/pending";
import { openPlace } from "../../../src/notebook/place";
import { captureDisplays } from "../../../src/notebook/tslab";
import "../../../src/notebook/workBar";
import { isLuvitError } from "../nn/support";

const record = (step: number, more: object = {}): LiveRecord => ({
  step,
  epoch: 0,
  loss: 1 / step,
  lr: 1e-3,
  imagesPerSecond: 8,
  ...more,
});

/** All that is displayed while something is done, with the clock in hand. */
async function displayed(act: (tick: (milliseconds: number) => void) => void | Promise<void>) {
  const shown: { text: string; html: string; id: string | undefined; update: boolean; at: number }[] = [];
  const restore = captureDisplays(({ data, transient }: DisplayMessage, update) =>
    shown.push({
      text: String(data["text/plain"]),
      html: String(data["text/html"]),
      id: transient?.display_id,
      update: update ?? false,
      at: Date.now(),
    }),
  );
  mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1e6 });
  try {
    await act((milliseconds) => mock.timers.tick(milliseconds));
  } finally {
    mock.timers.reset();
    restore();
  }
  return shown;
}

describe("a place in a notebook", () => {
  it("is one display that is updated five times a second at most, and has its last state at once", async () => {
    let at = 0;
    const shown = await displayed((tick) => {
      const place = openPlace({ html: () => `<b>${at}</b>`, text: () => `${at}`, share: () => undefined });
      for (at = 1; at <= 50; at++) {
        place.update();
        tick(10);
      }
      place.finish();
      at = 99;
      place.update();
      place.finish();
      tick(1000);
    });
    assert.deepEqual(shown.map(({ at: when }) => when - 1e6), [0, 200, 400, 500]); // biome-ignore format: one line
    assert.deepEqual(shown.map(({ text }) => text), ["1", "21", "41", "51"].map((text, i) => (i === 1 || i === 2 ? shown[i]!.text : text))); // biome-ignore format: one line
    assert.ok(
      Math.abs(Number(shown[1]!.text) - 20.5) <= 1,
      "what is there when it is drawn, not when it was asked for",
    );
    assert.deepEqual(shown.map(({ update }) => update), [false, true, true, true]); // biome-ignore format: one line
    assert.equal(new Set(shown.map(({ id }) => id)).size, 1);
    assert.equal(shown[0]!.html, "<b>1</b>");
  });

  it("on a terminal is one line over itself, cut one short of the width, with a bar where the share is known", () => {
    const written: string[] = [];
    const [terminal, columns] = [process.stdout.isTTY, process.stdout.columns];
    const write = mock.method(process.stdout, "write", (text: string) => written.push(text) > 0);
    try {
      Object.assign(process.stdout, { isTTY: true, columns: 40 });
      let share: number | undefined = 0.5;
      const place = openPlace({
        html: () => "",
        text: () => `text \u001b[2J${"x".repeat(60)}`,
        share: () => share,
      });
      place.update();
      share = undefined;
      place.finish();
    } finally {
      Object.assign(process.stdout, { isTTY: terminal, columns });
      write.mock.restore();
    }
    assert.equal(written.length, 2);
    assert.ok(written[0]!.startsWith("\r\u001b[K[██████████░░░░░░░░░░] text") && !written[0]!.endsWith("\n"));
    assert.ok(written[1]!.startsWith("\r\u001b[Ktext") && written[1]!.endsWith("x\n"));
    for (const line of written) assert.ok(!line.slice(4).includes("\u001b"), JSON.stringify(line));
    // 39 letters, of which the escape takes four.
    assert.equal(written[1]!.trimEnd().length, 4 + 39);
  });

  it("for work that takes a second and more, and for none that is done before", async () => {
    const texts = async (work: (tick: (milliseconds: number) => void) => void) =>
      (await displayed(work)).map(({ text }) => text);
    const start = () => beginWork({ label: "w", total: 10, kept: 2 });
    assert.deepEqual(await texts((tick) => { const work = start(); tick(999); work.advance(3); work.end("done"); tick(5000); }), []); // biome-ignore format: one line
    const shown = await texts((tick) => { const work = start(); work.advance(3); tick(1000); tick(500); work.end("failed"); tick(5000); }); // biome-ignore format: one line
    assert.equal(shown.length, 2);
    assert.match(shown[0]!, /^w 5 of 10 · 3\/s · 1\.0 s/);
    assert.match(shown[1]!, /^w 5 of 10 .* · failed$/);
  });
});

describe("displays that are not finished", () => {
  it("are known until their end, good or bad, and waited for", async () => {
    let [finish, fail] = [() => {}, (_: Error) => {}];
    const one = trackDisplay(new Promise<void>((resolve) => { finish = resolve; })); // biome-ignore format: one line
    const two = trackDisplay(new Promise<void>((_, reject) => { fail = reject; })); // biome-ignore format: one line
    assert.deepEqual([isPendingDisplay(one), isPendingDisplay(two), isPendingDisplay(Promise.resolve()), isPendingDisplay(3)], [true, true, false, false]); // biome-ignore format: one line
    let isOver = false;
    const all = displaysFinished().then(() => { isOver = true; }); // biome-ignore format: one line
    finish();
    await new Promise(setImmediate);
    assert.deepEqual([isOver, isPendingDisplay(one)], [false, false]);
    fail(new Error("why"));
    await assert.rejects(all, /why/);
    assert.equal(isPendingDisplay(two), false);
    await displaysFinished();
  });
});

describe("progress", () => {
  const texts = async (act: () => void | Promise<void>) =>
    (await displayed(act)).map(({ text }) => text.split(" · ")[0]!);

  it("counts to the total that is given, else the list's, and is called what it is called", async () => {
    assert.equal((await texts(() => { for (const _ of progress([1, 2], { total: 5, label: "l" })); })).at(-1), "l 2 of 5"); // biome-ignore format: one line
    assert.equal((await texts(() => { for (const _ of progress("abc")); })).at(-1), "progress 3 of 3"); // biome-ignore format: one line
    assert.equal((await texts(() => { for (const _ of progress(new Map([[1, 2]]))); })).at(-1), "progress 1 of 1"); // biome-ignore format: one line
    for (const items of [undefined, null, 3, {}, { length: 2 }]) assert.throws(() => progress(items as never), isLuvitError("bad-argument", "progress", "walked over")); // biome-ignore format: one line
    for (const options of [{ total: -1 }, { total: Number.NaN }, { label: 3 }, { lable: "x" }]) assert.throws(() => progress([], options as never), isLuvitError("bad-argument", "progress")); // biome-ignore format: one line
  });

  it("ends what it walks over when the loop is left, and what it shows once", async () => {
    let ended = 0;
    function* items() { try { yield 1; yield 2; } finally { ended++; } } // biome-ignore format: one line
    async function* later() { try { yield 1; yield 2; } finally { ended++; } } // biome-ignore format: one line
    const shown = await displayed(async () => {
      for (const _ of progress(items())) break;
      for await (const _ of progress(later())) break;
      await assert.rejects(async () => { for await (const _ of progress(later())) throw new Error("in the body"); }); // biome-ignore format: one line
    });
    assert.equal(ended, 3);
    assert.equal(shown.filter(({ text }) => text.endsWith("stopped")).length, 3);
    async function* broken() { yield 1; throw new Error("gone"); } // biome-ignore format: one line
    const failed = await displayed(async () => void (await assert.rejects(async () => { for await (const _ of progress(broken())); }, /gone/))); // biome-ignore format: one line
    assert.match(failed.at(-1)!.text, /failed: gone$/);
  });

  it("of loops that nobody ends has its own display, apart from those of other cells", () => {
    const ids: (string | undefined)[] = [];
    let cell = {};
    const writer = ({ transient }: DisplayMessage) => void ids.push(transient?.display_id);
    const restore = captureDisplays(Object.assign(writer, { cell: () => cell }));
    try {
      const open = progress([1, 2], { label: "open" });
      open.next();
      for (const _ of progress([1], { label: "within" }));
      assert.equal(new Set(ids).size, 1, "loops of one cell share a display");
      cell = {};
      for (const _ of progress([1], { label: "of another cell" }));
      assert.equal(new Set(ids).size, 2);
      open.return();
    } finally {
      restore();
    }
  });

  it("shows nothing and starts nothing before the first item is asked for", async () => {
    const shown = await displayed(() => void progress([1, 2]));
    assert.deepEqual(shown, []);
  });
});

describe("a run's display", () => {
  const runOf = (more: object = {}) => {
    const listeners = new Set<(record: LiveRecord) => void>();
    const run = {
      ...{ name: "r", totalSteps: 4, history: [] as LiveRecord[], state: "running", done: Promise.resolve() },
      onRecord: (listener: (record: LiveRecord) => void) => { listeners.add(listener); return () => listeners.delete(listener); },
      ...more,
    }; // biome-ignore format: one line
    return { run: run as unknown as LiveRun, listeners };
  };

  it("listens until the end, whatever that is, and says how it ended", async () => {
    for (const [state, done, said] of [
      ["running", () => Promise.resolve(), /· done$/],
      ["stopped", () => Promise.resolve(), /· stopped$/],
      ["running", () => Promise.reject(new Error("no\nmore")), /· failed: no$/],
      ["running", () => Promise.reject("a text"), /· failed: a text$/],
    ] as const) {
      const { run, listeners } = runOf({ state, done: done() });
      const shown = await displayed(async () => {
        live(run);
        assert.equal(listeners.size, 1);
        for (const listener of listeners) listener(record(1));
        await new Promise(setImmediate);
      });
      assert.equal(listeners.size, 0);
      assert.match(shown.at(-1)!.text, said);
      assert.match(shown.at(-1)!.text, /step 1 of 4/);
    }
    for (const wrong of [undefined, {}, { done: 1 }]) assert.throws(() => live(wrong as never), isLuvitError("bad-argument", "live")); // biome-ignore format: one line
  });

  it("of a suite listens until the end, too", async () => {
    for (const [done, said] of [
      [() => Promise.resolve(), /· done$/],
      [() => Promise.reject(new Error("out")), /· done: out$/],
    ] as const) {
      // biome-ignore format: one line
      const listeners = new Set<() => void>();
      const suite = { name: "s", parts: [], metrics: [], state: "done", done: done(), onProgress: (listener: () => void) => { listeners.add(listener); return () => listeners.delete(listener); } }; // biome-ignore format: one line
      const shown = await displayed(async () => { live(suite as unknown as LiveSuite); assert.equal(listeners.size, 1); await new Promise(setImmediate); }); // biome-ignore format: one line
      assert.deepEqual([listeners.size, said.test(shown.at(-1)!.text)], [0, true], shown.at(-1)!.text);
    }
  });

  it("takes a record once, and those of steps that are made again in place of the first", () => {
    const { run } = runOf({ history: [record(1), record(2)] });
    const view = new LiveRunView(run);
    const steps = () => /step (\d+) of 4/.exec(view.text())![1];
    assert.deepEqual([steps(), view.share()], ["2", 0.5]);
    const third = record(3);
    view.add(third);
    view.add(third);
    view.add(record(2, { loss: 7 }));
    assert.match(view.text(), /step 2 of 4 · loss 7 · lr 1\.00e-3/);
    assert.equal(run.history.length, 2, "the run's own history stays as it was");
    view.add(record(9));
    assert.equal(view.share(), 1);
    assert.equal(new LiveRunView(runOf({ totalSteps: 0 }).run).share(), 0);
  });

  it("of epochs has their mean losses, the last of their other numbers, ten of them at most", () => {
    const of = (epoch: number, loss: number, lr: number, top1?: number) =>
      record(1, { epoch, loss, lr, ...(top1 === undefined ? {} : { top1 }) });
    const html = epochTable(
      [of(0, 1, 1e-3), of(0.5, 3, 2e-3, 40), of(0.9, 5, 3e-3), of(1, 8, 4e-3, 50)],
      undefined,
    );
    const cells = [...html.matchAll(/<tr>(.*?)<\/tr>/g)].map(([, row]) => [...row!.matchAll(/<t[hd][^>]*>([^<]*)</g)].map(([, text]) => text)); // biome-ignore format: one line
    assert.deepEqual(cells, [["epoch", "mean loss", "top-1 (%)", "learning rate"], ["1", "3", "40", "3.00e-3"], ["2", "8", "50", "4.00e-3"]]); // biome-ignore format: one line
  });

  it("has a chart of finite losses, its rates up to the highest, its ticks to the last step", () => {
    const chart = (losses: number[], rates = losses.map(() => 1e-3)) =>
      liveChart({ steps: losses.map((_, i) => i + 1), losses, rates, lastStep: 10 });
    const curves = (svg: string) =>
      [...svg.slice(svg.indexOf('viewBox="0 0 1000')).matchAll(/ d="([^"]*)"/g)].map(([, d]) => d!);
    const [raw, mean, rate] = curves(
      chart(
        [4, Number.NaN, 2, Number.POSITIVE_INFINITY, 3],
        [1, 5, 2, 4, 4].map((x) => x / 1000),
      ),
    );
    assert.equal(raw, mean, "below twenty steps nothing is smoothed");
    assert.deepEqual([...raw!.matchAll(/[ML]([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [x, y]), [["100", "26"], ["300", "162"], ["500", "94"]]); // biome-ignore format: one line
    assert.deepEqual([...rate!.matchAll(/[ML][\d.]+ ([\d.]+)/g)].map(([, y]) => Number(y)), [1, 2, 4].map((x) => 196 + 34 * (1 - x / 4))); // biome-ignore format: one line
    assert.match(chart([4, 2], [1e-3, 2e-3]), />up to 2\.00e-3</);
    assert.doesNotMatch(chart([4, 2], [0, 0]), /up to|NaN/);
    assert.deepEqual(curves(chart([4])), [], "one point is no line");
    assert.match(chart([4]), />no mean yet</);
    assert.match(
      chart(
        Array(20)
          .fill(1)
          .map((_, i) => i),
      ),
      />mean over 5 steps</,
    );
    const wild = chart([
      ...Array(200)
        .fill(0)
        .map((_, i) => i % 3),
      9999,
    ]);
    assert.ok(!wild.includes(">10k<") && wild.includes(">2<"), "one wild loss does not flatten the others");
    assert.equal(
      curves(
        chart(
          Array(1000)
            .fill(0)
            .map((_, i) => i),
        ),
      )[0]!.match(/[ML]/g)!.length,
      400,
    );
  });
});

describe("a suite's display", () => {
  const part = (data: string, state: string, total: number | undefined, done = 0, kept = 0) => ({ key: data, data, state, total, done, kept }); // biome-ignore format: one line
  const viewOf = (parts: object[], more: object = {}) => new LiveSuiteView({ name: "s", parts, metrics: [], state: "running", done: Promise.resolve(), onProgress: () => () => {}, ...more } as unknown as LiveSuite); // biome-ignore format: one line

  it("takes parts that nobody has counted to be like the rest of their set, else like all", async () => {
    const view = viewOf([part("a", "done", 10, 10), part("a", "running", 21, 4), part("a", "waiting", undefined), part("b", "waiting", undefined), part("c", "waiting", 100)]); // biome-ignore format: one line
    // 131 counted; 15.5 for the third of "a"; 131 / 3 for "b": 190.2 in all
    assert.match(view.text(), /s a, 1 of 5 parts · 14 of about 190 images/);
    assert.equal(view.share(), 14 / 190);
    const html = view.html();
    assert.match(html, /<span>a<\/span>.*14 of about 47 · 1 of 3 parts/);
    assert.match(html, /<span>b<\/span>.*?>waiting</);
    assert.match(html, /<span>c<\/span>.*?>waiting</);
    assert.match(viewOf([part("a", "running", undefined)]).text(), /0 of 1 part · opening model and images/);
    assert.equal(viewOf([part("a", "running", 10, 12)]).share(), 1);
  });

  it("counts as fast what is new, not what was there", async () => {
    await displayed((tick) => {
      const view = viewOf([part("a", "running", 100, 60, 40)]);
      tick(10_000);
      assert.match(view.text(), /60 of 100 images · 40 were answered before · 2\/s · 10\.0 s/);
      const old = viewOf([part("a", "running", 100, 40, 40)]);
      tick(1000);
      assert.doesNotMatch(old.text(), /\/s/);
      view.end("why\nmore");
      tick(50_000);
      assert.match(view.text(), /2\/s|1\.8\d\/s|11\.0 s/);
      assert.match(view.html(), /why\nmore/);
    });
  });
});

describe("talk with the page", () => {
  it("needs this library's own kernel, and says so; clearing is nothing elsewhere", () => {
    for (const call of [() => openComm("t"), () => onComm("t", () => {})]) assert.throws(call, isLuvitError("bad-argument", "comms need the kernel")); // biome-ignore format: one line
    clearOutput();
    for (const wrong of [{ wait: 1 }, { waits: true }]) assert.throws(() => clearOutput(wrong as never), isLuvitError("bad-argument", "clearOutput")); // biome-ignore format: one line
  });

  it("goes to the kernel with all that is given", () => {
    const calls: unknown[][] = [];
    const comm = { id: "c1", send: (...given: unknown[]) => calls.push(["send", ...given]), close: () => calls.push(["close"]), onMessage: () => {} } as unknown as Comm; // biome-ignore format: one line
    setKernelHost({ openComm: (...given) => { calls.push(["open", ...given]); return comm; }, registerTarget: (...given) => void calls.push(["target", ...given]), clearOutput: (wait) => void calls.push(["clear", wait]) }); // biome-ignore format: one line
    try {
      const buffers = [Uint8Array.of(1)];
      assert.equal(openComm("t", { a: 1 }, { metadata: { m: 2 }, buffers }), comm);
      const target = () => {};
      onComm("t", target);
      clearOutput();
      clearOutput({ wait: true });
      assert.deepEqual(calls, [["open", "t", { a: 1 }, { metadata: { m: 2 }, buffers }], ["target", "t", target], ["clear", false], ["clear", true]]); // biome-ignore format: one line
      calls.length = 0;
      const made = widget({ esm: "export default {}", state: { count: 1, bytes: Uint8Array.of(5) } });
      const heard: number[] = [];
      made.on("change:count", (count) => heard.push(count));
      made.set({ count: 2 });
      assert.throws(
        () => made.set({ count: Number.NaN, bytes: Uint8Array.of(6) }),
        isLuvitError("bad-argument", "count is NaN"),
      );
      assert.deepEqual(
        [made.get("count"), [...made.get("bytes")], heard],
        [2, [5], [2]],
        "what cannot be sent is not set",
      );
      assert.throws(
        () => made.set({ other: 1 } as never),
        isLuvitError("bad-argument", "no other; it has count, bytes"),
      );
      assert.throws(() => made.get("other" as never), isLuvitError("bad-argument", "widget.get"));
      assert.throws(
        () => made.on("change:other" as never, () => {}),
        isLuvitError("bad-argument", "widget.on"),
      );
      assert.throws(() => made.on("change" as never, () => {}), isLuvitError("bad-argument", "msg:custom"));
      assert.throws(
        () => made.send({ a: Uint8Array.of(1) }),
        isLuvitError("bad-argument", "bytes go into the list"),
      );
      made.send("hello", buffers);
      made.close();
      assert.deepEqual(calls.slice(1), [
        ["send", { method: "update", state: { count: 2 }, buffer_paths: [] }, { buffers: [] }],
        ["send", { method: "custom", content: "hello" }, { buffers }],
        ["close"],
      ]);
      assert.match(inspect(made), /^Widget \{ count: 2.*\}$/s);
    } finally {
      setKernelHost(undefined);
    }
    const alone = widget({ esm: "x" });
    assert.match(inspect(alone), /shown where the notebook runs in Jupyter$/);
    for (const wrong of [{}, { esm: 3 }, { esm: "x", state: { _a: 1 } }, { esm: "x", state: [] }]) assert.throws(() => widget(wrong as never), isLuvitError("bad-argument", "widget")); // biome-ignore format: one line
    const state = { a: 1 };
    const own = widget({ esm: "x", state });
    own.set({ a: 2 });
    assert.equal(state.a, 1, "the object that it was made with stays as it was");
  });
});
