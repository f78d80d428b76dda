import { afterEach, describe, it, mock } from "node:test";
import { inspect } from "node:util";
import { type Comm, type CommMessage, setKernelHost } from "../../../src/core/kernelHost";
import { checkOptions } from "../../../src/core/options";
import { beginWork } from "../../../src/core/progress";
import { SkipReport } from "../../../src/data/dataset";
import {
  clearOutput,
  inNotebook,
  jupyterDisplay,
  live,
  onComm,
  openComm,
  progress,
  show,
  type Widget,
  widget,
} from "../../../src/notebook";
import { liveChart } from "../../../src/notebook/liveChart";
import { epochTable } from "../../../src/notebook/liveEpochs";
import { type LivePart, type LiveSuite, LiveSuiteView } from "../../../src/notebook/liveParts";
import { type LiveRecord, type LiveRun, metricsOf } from "../../../src/notebook/liveRun";
import { LiveRunView } from "../../../src/notebook/liveView";
import { Pace } from "../../../src/notebook/pace";
import { displaysFinished, isPendingDisplay, trackDisplay } from "../../../src/notebook/pending";
import { openPlace, updateInterval } from "../../../src/notebook/place";
import { progressOptions } from "../../../src/notebook/progress";
import { ProgressBar } from "../../../src/notebook/progressBar";
import { ProgressGroup, progressHtml } from "../../../src/notebook/progressGroup";
import { noteFollowed } from "../../../src/notebook/runDisplay";
import {
  attachTslab,
  captureDisplays,
  type DisplayWriter,
  displayOwner,
  loadTslab,
  sendDisplay,
} from "../../../src/notebook/tslab";
import { packState, unpackState } from "../../../src/notebook/widgetState";
import { Run } from "../../../src/train";
import { Calls } from "../../support/calls";
import "../../../src/notebook/workBar";

/** Without what another machine has otherwise: memory. Drawings as they are. */
const plain = (text: string) =>
  text
    .replace(/memory [\d.,]+ \w+/g, "memory …")
    .replace(/data:image\/svg\+xml;base64,([\w+/=]+)/g, (_, code) => `${Buffer.from(code, "base64")}`);
const lines = (html: string) => plain(html).replaceAll("><", ">\n<").split("\n");
const record = (step: number, more: object = {}): LiveRecord => ({
  step,
  epoch: 0,
  loss: 4 / step,
  lr: 1e-3 * step,
  imagesPerSecond: 123.456,
  ...more,
});
const turns = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

describe("of what goes on in a notebook", () => {
  it("how bars, paces and places go on is approved", async () => {
    const calls = new Calls();
    calls.title("pace");
    let now = 0;
    const pace = new Pace(() => now);
    for (const [at, count] of [
      [0, 0],
      [50, 1],
      [99, 2],
      [100, 3],
      [350, 4],
      [360, 4],
      [500, 5],
      [600, 4],
      [700, 6],
      [1000, 7],
      [1900, 8],
    ]) {
      now = at;
      pace.reach(count);
      calls.note(`${count} at ${at}`, [pace.secondsFor(10), pace.secondsFor(0), pace.secondsFor(-1)]);
    }
    for (let i = 0; i < 40; i++) {
      now += 100 * (i + 1);
      pace.reach(9 + i);
      if (i % 6 === 0) calls.note(`after ${i + 1} more`, pace.secondsFor(1));
    }
    calls.title("bars");
    now = 0;
    const told = (bar: ProgressBar) => [bar.text(), bar.share(), bar.state];
    for (const counted of [
      { label: "a", total: 10 },
      { label: "<b>", total: undefined },
      { label: "c", total: 2_500_000, unit: "bytes" as const, kept: 1_000_000 },
      { label: "d", total: 0 },
      { label: "e", total: 20, kept: 5, unit: "images" as const },
    ]) {
      now = 1000;
      const bar = new ProgressBar(counted, () => now);
      calls.note("begins", told(bar));
      for (const [wait, count] of [
        [400, 1],
        [400, 2],
        [400, 3],
        [5000, 4],
      ]) {
        now += wait;
        bar.reach((counted.kept ?? 0) + (counted.unit === "bytes" ? count * 123_456 : count));
        calls.note(`  ${count} after ${wait}`, told(bar));
      }
      bar.advance();
      calls.note("  advanced", told(bar));
      calls.note("  html", lines(bar.html()));
    }
    for (const [state, error] of [
      ["done", undefined],
      ["stopped", undefined],
      ["failed", new Error("one\ntwo")],
      ["failed", "a text"],
    ] as const) {
      for (const unit of ["images", "bytes"] as const) {
        now = 0;
        const bar = new ProgressBar({ label: "x", total: 5e6, unit }, () => now);
        now = 2000;
        bar.reach(3e6);
        bar.end(state, error);
        now = 9000;
        calls.note(`${state} ${unit}`, [...told(bar), lines(bar.html())]);
      }
    }
    for (const rate of [0.4999, 0.5, 0.0123]) {
      now = 0;
      const slow = new ProgressBar({ label: "slow", total: 9000 }, () => now);
      now = 1000 / rate;
      slow.advance();
      calls.note(`${rate} a second`, slow.text());
    }
    const unknown = new ProgressBar({ label: "x", total: undefined }, () => now);
    unknown.end("stopped");
    calls.note("without a total, stopped", [
      ...told(unknown),
      lines(progressHtml([unknown, new ProgressBar({ label: "y", total: 3 }, () => now)])),
    ]);
    for (const options of [
      {},
      { total: -1 },
      { total: 0 },
      { total: Number.NaN },
      { total: 1.5 },
      { label: "" },
      { label: 5 },
      { more: 1 },
    ])
      await calls.does(`options ${JSON.stringify(options)}`, () =>
        checkOptions("progress", progressOptions, options),
      );
    for (const items of [5, null, undefined, {}])
      await calls.does(`progress of ${items}`, () => progress(items as never));
    calls.approve("notebook/bars");
  });

  it("what places, loops and displays send is approved", async () => {
    const calls = new Calls();
    mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1e6 });
    const sent: unknown[] = [];
    const ids: (string | undefined)[] = [];
    const idOf = (id: string | undefined) => {
      if (!ids.includes(id)) ids.push(id);
      return `display ${ids.indexOf(id)}`;
    };
    const writer: DisplayWriter = ({ data, transient }, update) =>
      sent.push(
        `${Date.now() - 1e6} ${idOf(transient?.display_id)}${update ? " again" : ""}: ${plain(String(data["text/plain"]))}`,
      );
    const told = (name: string) => calls.note(name, sent.splice(0));
    calls.note("not in a notebook", [inNotebook(), displayOwner(), updateInterval]);
    let restore = captureDisplays(writer);
    calls.note("in one", [inNotebook(), displayOwner() === writer]);
    const share: number | undefined = 0.1;
    let words = "one";
    const view = { html: () => `<b>${words}</b>`, text: () => words, share: () => share };
    const place = openPlace(view);
    place.update();
    told("at once");
    for (words of ["two", "three"]) {
      place.update();
      mock.timers.tick(99);
    }
    told("not before 200 ms");
    mock.timers.tick(2);
    told("then");
    words = "four";
    place.update();
    words = "five";
    place.finish();
    told("finished at once");
    place.update();
    place.finish();
    mock.timers.tick(1000);
    told("nothing more");
    calls.title("loops");
    const walk = async (name: string, body: () => unknown) => {
      await Promise.resolve()
        .then(body)
        .catch((error) => sent.push(`threw ${error.message}`));
      mock.timers.tick(1000);
      told(name);
    };
    await walk("a list", () => [...progress([1, 2, 3], { label: "layers" })]);
    await walk("none", () => [...progress([])]);
    await walk("of nobody knows how many", () => [
      ...progress(
        (function* () {
          yield 1;
          mock.timers.tick(250);
          yield 2;
        })(),
      ),
    ]);
    await walk("a set, a total", () => [...progress(new Set([1, 2]), { total: 4 })]);
    await walk("left early", () => {
      for (const one of progress([1, 2, 3])) if (one === 2) break;
    });
    await walk("failing", () => {
      for (const _ of progress(
        (function* () {
          yield 1;
          throw new Error("bad item\nmore");
        })(),
      ))
        mock.timers.tick(1);
    });
    await walk("a failing body", () => {
      for (const _ of progress([1, 2])) throw new Error("body");
    });
    await walk("within each other", () => {
      for (const outer of progress([1, 2], { label: "outer" }))
        for (const _ of progress([outer, 0], { label: "inner" })) mock.timers.tick(150);
    });
    await walk("async", async () => {
      for await (const _ of progress(
        (async function* () {
          yield 1;
          yield 2;
        })(),
        { total: 2 },
      ))
        mock.timers.tick(300);
    });
    await walk("async, left early", async () => {
      for await (const _ of progress(
        (async function* () {
          yield 1;
          yield 2;
        })(),
      ))
        break;
    });
    await walk("async, failing", async () => {
      for await (const _ of progress(
        (async function* () {
          yield 1;
          throw new Error("late");
        })(),
      ))
        mock.timers.tick(1);
    });
    calls.title("groups");
    const bars = ["a", "b", "c"].map((label) => new ProgressBar({ label, total: 4 }));
    const group = ProgressGroup.show(bars[0]);
    calls.note("one for all of a cell", [
      ProgressGroup.show(bars[1]) === group,
      ProgressGroup.show(bars[2]) === group,
    ]);
    group.advance(bars[0]);
    for (let i = 0; i < 3; i++) group.advance(bars[2]);
    calls.note("its share is the first one's", [group.share(), group.text(), lines(group.html())]);
    group.end(bars[1], "done");
    group.end(bars[2], "failed", new Error("x"));
    calls.note("two ended", group.text());
    const next = new ProgressBar({ label: "d", total: 2 });
    ProgressGroup.show(next);
    calls.note("the next takes their place", group.text());
    group.end(next, "stopped");
    group.end(bars[0], "done");
    calls.note("all ended", [group.text(), group.share()]);
    const fresh = ProgressGroup.show(new ProgressBar({ label: "e", total: 1 }));
    calls.note("a new one", [fresh === group, fresh.text()]);
    restore();
    restore = captureDisplays(Object.assign(() => {}, { cell: () => "another cell" }));
    calls.note("of another cell", [
      displayOwner(),
      ProgressGroup.show(new ProgressBar({ label: "f", total: 1 })) === fresh,
    ]);
    restore();
    let cell = "one";
    restore = captureDisplays(Object.assign(() => {}, { cell: () => cell }));
    const shownIn = (name: string) => {
      cell = name;
      return ProgressGroup.show(new ProgressBar({ label: name, total: 1 }));
    };
    const first = shownIn("one");
    calls.note("another cell in between ends a group's growth", [
      shownIn("one") === first,
      shownIn("two") === first,
      shownIn("one") === first,
      first.text(),
    ]);
    restore();
    sent.length = 0;
    calls.title("work");
    restore = captureDisplays(writer);
    const work = beginWork({ label: "evaluate", total: 8, kept: 2 });
    work.advance(1);
    mock.timers.tick(999);
    told("within a second");
    mock.timers.tick(1);
    work.advance(3);
    told("after it");
    mock.timers.tick(500);
    work.end("stopped");
    told("stopped");
    const short = beginWork({ label: "short", total: 8, kept: 0 });
    short.end("done");
    mock.timers.tick(2000);
    told("a short one");
    calls.title("pending");
    let finish = () => {};
    const display = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const tracked = trackDisplay(display);
    calls.note("pending", [
      tracked === display,
      isPendingDisplay(display),
      isPendingDisplay(5),
      isPendingDisplay(Promise.resolve()),
    ]);
    let all = "waits";
    void displaysFinished().then(() => {
      all = "finished";
    });
    await turns();
    calls.note("not yet", all);
    finish();
    await turns();
    calls.note("then", [all, isPendingDisplay(display)]);
    trackDisplay(Promise.reject(new Error("drawing"))).catch(() => {});
    calls.note(
      "a failing one",
      await displaysFinished().then(
        () => "fine",
        (error) => error.message,
      ),
    );
    await turns();
    calls.note("is forgotten", await displaysFinished().then(() => "fine"));
    restore();
    calls.approve("notebook/places");
  });

  it("what is written outside of notebooks, and with tslab, is approved", async () => {
    const calls = new Calls();
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const restore = captureDisplays(() => {});
    const before = timers();
    const waiting = beginWork({ label: "waits", total: 3, kept: 0 });
    const throttled = openPlace({ html: () => "", text: () => "", share: () => 0 });
    throttled.update();
    throttled.update();
    calls.note("timers that keep the process going", timers() - before);
    throttled.finish();
    waiting.end("done");
    restore();
    mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1e6 });
    const written: string[] = [];
    const isTTY = Object.getOwnPropertyDescriptor(process.stdout, "isTTY");
    const columns = Object.getOwnPropertyDescriptor(process.stdout, "columns");
    const quietly = (body: () => unknown) => {
      const writes = mock.method(process.stdout, "write", (text: string) => {
        written.push(text);
        return true;
      });
      try {
        body();
      } finally {
        writes.mock.restore();
      }
      return written.splice(0);
    };
    let share: number | undefined = 0;
    let words = "a \u0007 line";
    const view = { html: () => "", text: () => words, share: () => share };
    for (const terminal of [undefined, 30, Number.NaN]) {
      Object.defineProperty(process.stdout, "isTTY", { value: terminal !== undefined, configurable: true });
      Object.defineProperty(process.stdout, "columns", { value: terminal || undefined, configurable: true });
      const name = terminal ? `a terminal of ${terminal} columns` : "a terminal that does not say how wide";
      calls.title(terminal === undefined ? "into a file" : name);
      const place = openPlace(view);
      for (const [at, value] of [
        [0, 0],
        [250, 0.05],
        [500, 0.0999],
        [750, 0.1],
        [1000, 0.31],
        [60_700, 0.32],
        [61_000, 0.33],
        [61_300, undefined],
      ] as const) {
        mock.timers.setTime(2e6 + at);
        share = value;
        words = `at ${value} \u0007${"x".repeat(120)}`;
        calls.note(
          `${value} at ${at}`,
          quietly(() => place.update()),
        );
      }
      share = 1;
      calls.note(
        "finished",
        quietly(() => place.finish()),
      );
    }
    for (const [name, property] of Object.entries({ isTTY, columns })) {
      if (property) Object.defineProperty(process.stdout, name, property);
      else delete (process.stdout as unknown as Record<string, unknown>)[name];
    }
    calls.note(
      "show",
      quietly(() => [show("a text"), show([{ a: 1 }]), show({ a: 1 })]),
    );
    const writes = mock.method(process.stdout, "write", (text: string) => {
      written.push(text);
      return true;
    });
    await show(Promise.resolve("later"));
    writes.mock.restore();
    calls.note("show later", written.splice(0));
    calls.title("tslab");
    const sent: string[] = [];
    const writer =
      (name: string): DisplayWriter =>
      ({ data, transient }, update) =>
        sent.push(`${name}: ${data["text/plain"]} ${transient?.display_id} ${update}`);
    const restoreFirst = captureDisplays(writer("first"));
    sendDisplay({ "text/plain": "before tslab" });
    const tslab = loadTslab() as { display: { text(text: string): void } };
    const { lastWriteDisplayData } = require("tslab/dist/jupyter") as { lastWriteDisplayData: DisplayWriter };
    lastWriteDisplayData({ data: { "text/plain": "by tslab" } }, false);
    sendDisplay({ "text/plain": "with an id" }, "i", true);
    tslab.display.text("shown by tslab");
    const restoreSecond = captureDisplays(writer("second"));
    sendDisplay({ "text/plain": "inner" });
    tslab.display.text("inner by tslab");
    restoreSecond();
    sendDisplay({ "text/plain": "outer again" });
    restoreFirst();
    calls.note("sent", sent.splice(0));
    calls.note("at the end", [inNotebook(), displayOwner()]);
    const own = require("tslab/dist/jupyter") as { lastWriteDisplayData: DisplayWriter | null };
    own.lastWriteDisplayData = writer("tslab's kernel");
    attachTslab();
    loadTslab();
    tslab.display.text("through its own");
    sendDisplay({ "text/plain": "ours through it" });
    calls.note("in tslab's own kernel", [sent.splice(0), inNotebook()]);
    own.lastWriteDisplayData = null;
    attachTslab();
    calls.note("in none", [inNotebook(), own.lastWriteDisplayData]);
    calls.approve("notebook/terminals");
  });

  it("what live runs and suites show is approved", async () => {
    const calls = new Calls();
    mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1e6 });
    calls.title("charts");
    const chart = (count: number, more: object = {}) =>
      liveChart({
        steps: Array.from({ length: count }, (_, i) => i + 1),
        losses: Array.from({ length: count }, (_, i) => 3 / (i + 1)),
        rates: Array.from({ length: count }, (_, i) => 1e-3 * (i + 1)),
        lastStep: 40,
        ...more,
      });
    for (const count of [0, 1, 2, 30]) calls.note(`${count} steps`, lines(chart(count)));
    calls.note("many", chart(1000, { lastStep: 1000 }).length > 0 && lines(chart(1000, { lastStep: 1000 })));
    calls.note("that are no numbers", lines(chart(3, { losses: [Number.NaN, 2, Number.POSITIVE_INFINITY] })));
    calls.note(
      "all alike, without rates, from 5",
      lines(chart(3, { losses: [2, 2, 2], rates: [0, 0, 0], steps: [5, 6, 7], lastStep: 3 })),
    );
    calls.title("epochs");
    const epochs = (count: number) =>
      Array.from({ length: 2 * count }, (_, i) =>
        record(i + 1, { epoch: i / 2, ...(i % 2 ? { top1: i } : {}) }),
      );
    for (const [count, expected] of [
      [0, undefined],
      [1, undefined],
      [1, 1],
      [1, 3],
      [2, undefined],
      [10, 10],
      [12, 12],
      [3, 12],
    ] as const)
      calls.note(
        `${count} of ${expected}`,
        lines(epochTable(epochs(count), expected)).map((line) => line.replace(/ style="[^"]*"/, "")),
      );
    await calls.of(metricsOf, record(1, { top1: 3, valLoss: 2 }));
    calls.title("a run");
    const listeners: ((one: LiveRecord) => void)[] = [];
    const runOf = (more: object = {}) =>
      ({
        name: "pre <1>",
        totalSteps: 10,
        history: [],
        done: Promise.resolve(),
        state: "running",
        onRecord: (listener: never) => {
          listeners.push(listener);
          return () => listeners.splice(listeners.indexOf(listener), 1);
        },
        ...more,
      }) as unknown as LiveRun;
    const shown = (view: LiveRunView | LiveSuiteView) => [
      plain(view.text()),
      view.share(),
      ...lines(view.html()).map((line) => (line.length > 600 ? `${line.length} letters` : line)),
    ];
    const view = new LiveRunView(runOf({ epochs: 1 }));
    calls.note("begins", shown(view));
    for (const one of [
      record(1),
      record(2, { top1: 12.345 }),
      record(4),
      record(3),
      record(5),
      record(5, { loss: Number.NaN }),
    ]) {
      mock.timers.tick(400);
      view.add(one);
      calls.note(`step ${one.step}`, [plain(view.text()), view.share()]);
    }
    calls.note(
      "a step that is made again is there once",
      lines(view.html())
        .join("")
        .match(/M[\d. ]+(?:L[\d. -]+)*/g),
    );
    calls.note("html", shown(view));
    view.end("stopped");
    mock.timers.tick(9999);
    calls.note("stopped", shown(view).slice(0, 8));
    view.end("failed", new Error("one\n<two>"));
    calls.note(
      "failed",
      shown(view).filter((line) => /failed|one|two/.test(String(line))),
    );
    const later = new LiveRunView(
      runOf({
        history: [record(3), record(4)],
        totalSteps: 0,
        engine: "cpu",
        notes: ["n <1>"],
        report: { count: 2, toString: () => "2 images could not be read:\n a" },
        epochs: 3,
      }),
    );
    calls.note("with a history", shown(later));
    calls.note("nothing unreadable", shown(new LiveRunView(runOf({ report: { count: 0 } }))).length);
    calls.title("a suite");
    const part = (
      key: string,
      data: string,
      state: LivePart["state"],
      total: number | undefined,
      done: number,
      kept = 0,
    ): LivePart => ({ key, data, state, total, done, kept });
    const suiteOf = (parts: LivePart[], more: object = {}) =>
      ({
        name: "suite",
        parts,
        metrics: [],
        done: Promise.resolve(),
        state: "running",
        onProgress: () => () => {},
        ...more,
      }) as LiveSuite;
    const all = {
      none: [],
      waiting: [part("a", "a", "waiting", undefined, 0)],
      one: [part("a", "a", "running", 100, 30, 10)],
      several: [
        part("c/fog/1", "c", "done", 50, 50, 50),
        part("c/fog/2", "c", "running", 50, 20, 5),
        part("c/fog/3", "c", "waiting", undefined, 0),
        part("in1k", "in1k", "waiting", undefined, 0),
      ],
      all: [part("a", "a", "done", 5, 5), part("b", "b", "done", 3, 3, 3)],
    };
    for (const [name, parts] of Object.entries(all)) {
      const suite = new LiveSuiteView(suiteOf(parts));
      mock.timers.tick(2000);
      calls.note(name, shown(suite));
    }
    const ended = new LiveSuiteView(
      suiteOf(all.all, {
        state: "failed",
        engine: "cpu <x>",
        metrics: [
          { data: "a", metric: "top-1", value: 83.456, images: 5, paper: { ViT: 83.2, LUViT: 83.6 } },
          { data: "b", metric: "top-1", value: 1, images: 3, paper: {} },
        ],
      }),
    );
    mock.timers.tick(3000);
    ended.end("a text\nmore");
    mock.timers.tick(3000);
    calls.note("failed", shown(ended));
    calls.title("followed");
    const sent: string[] = [];
    const restore = captureDisplays(({ data }, update) =>
      sent.push(`${update} ${plain(String(data["text/plain"]))}`),
    );
    for (const [name, state, done] of [
      ["done", "running", Promise.resolve()],
      ["stopped", "stopped", Promise.resolve()],
      ["failed", "failed", Promise.reject(new Error("no\nroom"))],
    ] as const) {
      sent.length = 0;
      const run = runOf({ done, state });
      live(run);
      const [listener] = listeners;
      listener(record(1));
      listener(record(2));
      await turns();
      mock.timers.tick(1000);
      calls.note(`a run, ${name}`, [sent.splice(0), listeners.length]);
    }
    const offs: string[] = [];
    let tell = () => {};
    for (const done of [Promise.resolve(), Promise.reject(new Error("x"))]) {
      live(
        suiteOf(all.one, {
          done,
          onProgress: (listener: () => void) => {
            tell = listener;
            return () => offs.push("off");
          },
        }),
      );
      tell();
      await turns();
      mock.timers.tick(1000);
      calls.note("a suite", [sent.splice(0), offs]);
    }
    restore();
    for (const wrong of [{}, null, { done: 1 }, 5])
      await calls.does(`live of ${JSON.stringify(wrong)}`, () => live(wrong as never));
    calls.approve("notebook/live");
  });

  it("what a run says of itself as a value is approved", async () => {
    const calls = new Calls();
    const display = (run: object) => (run as Record<symbol, () => Record<string, string>>)[jupyterDisplay]();
    const runOf = (records: readonly LiveRecord[], out?: string, fails = false, checkpoint?: string) =>
      new Run({
        name: "tuning <1>",
        model: {} as never,
        totalSteps: 2,
        out,
        report: new SkipReport(),
        body: async (driver) => {
          for (const one of records) driver.record(one);
          driver.run.checkpoint = checkpoint;
          if (fails) throw new Error("no room");
        },
      });
    for (const [name, records, out, fails, checkpoint] of [
      ["two steps", [record(1), record(2)], undefined, false],
      ["saved", [record(1)], "runs/x", false],
      ["none", [], undefined, false],
      ["failed", [record(1)], "runs/x", true],
      ["with a checkpoint", [record(1), record(2)], "runs/x", false, "runs/x/checkpoint-2"],
    ] as const) {
      for (const isFollowed of [false, true]) {
        const run = runOf(records, out, fails, checkpoint);
        if (isFollowed) noteFollowed(run);
        calls.note(`${name}${isFollowed ? ", followed" : ""}`, display(run));
        await run.done.catch(() => {});
        calls.note("  at its end", display(run));
      }
    }
    calls.approve("notebook/runs");
  });

  it("what widgets and comms say is approved", async () => {
    const calls = new Calls();
    calls.title("outside the kernel");
    await calls.does("openComm", () => openComm("t"));
    await calls.does("onComm", () => onComm("t", () => {}));
    await calls.does("clearOutput", () => clearOutput());
    for (const options of [{ wait: true }, { wait: 1 }, { more: 1 }])
      await calls.does(`clearOutput ${JSON.stringify(options)}`, () => clearOutput(options as never));
    const lonely = widget({ esm: "export default {}", state: { count: 1 } });
    lonely.set({ count: 2 });
    lonely.send("x");
    lonely.close();
    calls.note("a widget", [
      inspect(lonely),
      lonely.get("count"),
      (lonely as never as Record<symbol, () => unknown>)[jupyterDisplay](),
    ]);
    const state = { count: 1 };
    widget({ esm: "e", state }).set({ count: 2 });
    calls.note("the given state stays as it was", state);
    calls.title("in the kernel");
    const log: unknown[] = [];
    let take: (message: CommMessage) => void = () => {};
    const comm: Comm = {
      id: "comm-id",
      target: "t",
      send: (data, options) => log.push(["send", data, options]),
      close: (data) => log.push(["close", data]),
      onMessage: (listener) => {
        take = listener;
      },
      onClose: () => {},
    };
    setKernelHost({
      openComm: (target, data, options) => {
        log.push(["open", target, data, options]);
        return comm;
      },
      registerTarget: (target) => log.push(["register", target]),
      clearOutput: (wait) => log.push(["clear", wait]),
    });
    const told = async (name: string, body: () => unknown) => {
      log.length = 0;
      await calls.once(name, body);
      calls.note("  log", log);
    };
    await told("openComm", () => openComm("t").id);
    await told(
      "openComm with data",
      () => openComm("t", { a: 1 }, { metadata: { m: 1 }, buffers: [Uint8Array.of(1)] }).id,
    );
    await told("onComm", () => onComm("t", () => {}));
    for (const options of [undefined, {}, { wait: true }, { wait: false }])
      await told(`clearOutput ${JSON.stringify(options)}`, () => clearOutput(options));
    let made!: Widget<{ count: number; bytes: Uint8Array; list: unknown[] }>;
    await told("widget", () => {
      made = widget({
        esm: "e",
        css: "c",
        state: { count: 1, bytes: Uint8Array.of(1, 2), list: [1, Float32Array.of(1)] },
      });
    });
    const heard: unknown[] = [];
    made.on("change:count", (value) => heard.push(["first", value]));
    made.on("change:count", (value) => heard.push(["second", value]));
    made.on("change:bytes", (value) => heard.push(value));
    made.on("msg:custom", (content, buffers) => heard.push([content, buffers]));
    const message = (data: object, buffers: Uint8Array[] = []) =>
      take({ data: data as never, metadata: {}, buffers });
    await told("set", () => made.set({ count: 5 }));
    await told("set bytes", () => made.set({ bytes: Uint8Array.of(7) }));
    await told("set what is none of JSON", () => made.set({ count: Number.NaN }));
    await told("set what is not there", () => made.set({ other: 1 } as never));
    await told("set a hidden name", () => made.set({ _esm: "x" } as never));
    await told("get", () => [made.get("count"), made.get("bytes"), made.get("list")]);
    await told("get what is not there", () => made.get("none" as never));
    await told("get what every object has", () => made.get("toString" as never));
    await told("send", () => made.send({ a: 1 }, [Uint8Array.of(3)]));
    await told("send bytes within", () => made.send({ a: Uint8Array.of(1) }));
    await told("send what is none of JSON", () => made.send(() => 1));
    const stderr: string[] = [];
    const errors = mock.method(process.stderr, "write", (text: string) => {
      stderr.push(text);
      return true;
    });
    await told("a view's update", () =>
      message({ method: "update", state: { count: 9, none: 1, _view: 2 } }),
    );
    await told("with bytes", () =>
      message({ method: "update", state: { bytes: null }, buffer_paths: [["bytes"]] }, [Uint8Array.of(4, 5)]),
    );
    errors.mock.restore();
    calls.note("said of names that are not there", stderr);
    await told("without a state", () => message({ method: "update" }));
    await told("with bytes and no place", () =>
      message({ method: "update", state: { count: 3 } }, [Uint8Array.of(1)]),
    );
    await told("a request for the state", () => message({ method: "request_state" }));
    await told("a message", () => message({ method: "custom", content: { b: 2 } }, [Uint8Array.of(6)]));
    await told("an unknown one", () => message({ method: "dance" }));
    calls.note("heard", heard);
    for (const [event, listener] of [
      ["change:none", () => {}],
      ["click", () => {}],
      ["change:count", 5],
    ] as const)
      await told(`on ${event}`, () => made.on(event as never, listener as never));
    await told("shown", () => [
      inspect(made),
      (made as never as Record<symbol, () => unknown>)[jupyterDisplay](),
    ]);
    await told("close", () => made.close());
    for (const options of [
      {},
      { esm: "" },
      { esm: "e", state: { _a: 1 } },
      { esm: "e", state: [] },
      { esm: "e", css: 5 },
      { esm: "e", state: { a: () => 1 } },
      { esm: "e", html: "x" },
    ])
      await told(`widget ${JSON.stringify(options)}`, () => widget(options as never));
    await told("widget without a state", () => inspect(widget({ esm: "e" })));
    await told("get of none", () => widget({ esm: "e" }).get("a" as never));
    setKernelHost(undefined);
    calls.title("packed");
    const cyclic: Record<string, unknown> = {};
    cyclic.self = { cyclic };
    const twice = { a: 1 };
    for (const state of [
      {},
      { a: 1, b: "x", c: null, d: undefined, e: true, f: [1, [2]], g: { h: {} } },
      {
        a: Uint8Array.of(1),
        b: { c: [Float32Array.of(1), 2, new ArrayBuffer(2)] },
        d: new DataView(new ArrayBuffer(1)),
      },
      { a: Number.NaN },
      { a: [1, { b: Number.POSITIVE_INFINITY }] },
      { a: 1n },
      { a: Symbol("s") },
      { a: new Map() },
      { a: new Date(0) },
      { a: [() => 1] },
      cyclic,
      { a: twice, b: [twice, twice] },
      { a: new Uint8Array([1, 2, 3]).subarray(1, 2) },
    ])
      await calls.does("packState", () => packState(state));
    const one = () => [Uint8Array.of(1)];
    const unpacked: [object, unknown, Uint8Array[]][] = [
      [{ a: null }, [["a"]], one()],
      [{}, [["new"]], one()],
      [{ a: { b: [0, null] } }, [["a", "b", 1]], one()],
      [{ a: [] }, [["a", 0]], one()],
      [{ a: [0] }, [["a", -1]], one()],
      [{ a: [0] }, [["a", 0.5]], one()],
      [{ a: [0] }, [["a", "0"]], one()],
      [{ a: 5 }, [["a", "b"]], one()],
      [{ a: {} }, [["a", 1]], one()],
      [{}, [["a", "b"]], one()],
      [{}, [[]], one()],
      [{}, ["a"], one()],
      [{}, [["__proto__", "x"]], one()],
      [{}, [["constructor"]], one()],
      [{ a: {} }, [["a", "prototype"]], one()],
      [{}, [["toString", "x"]], one()],
      [{}, undefined, []],
      [{}, undefined, one()],
      [{}, 5, []],
      [{}, [["a"], ["b"]], one()],
      [{}, null, []],
    ];
    for (const [state, paths, buffers] of unpacked)
      await calls.does(`unpackState ${JSON.stringify([state, paths])}`, () =>
        unpackState(structuredClone(state) as never, paths, buffers),
      );
    calls.approve("notebook/widgets");
  });
});
