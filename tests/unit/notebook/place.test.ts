import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { LiveRun } from "../../../src/notebook";
import type { LiveRecord } from "../../../src/notebook/liveRun";
import { LiveRunView } from "../../../src/notebook/liveView";
import { pageStyle } from "../../../src/notebook/pageStyle";
import { openPlace } from "../../../src/notebook/place";

/** What a place writes where output is no terminal, while `use` moves a view on. */
function plainLines(use: (move: (share: number, seconds: number) => void) => void): string[] {
  const lines: string[] = [];
  let done = 0;
  const terminal = process.stdout.isTTY;
  mock.timers.enable({ apis: ["Date", "setTimeout"] });
  const write = mock.method(process.stdout, "write", (text: string) => lines.push(text) > 0);
  try {
    process.stdout.isTTY = false;
    const place = openPlace({ html: () => "", text: () => `at ${done}`, share: () => done });
    use((share, seconds) => {
      done = share;
      mock.timers.tick(1000 * seconds);
      place.update();
    });
    place.finish();
    place.finish();
  } finally {
    process.stdout.isTTY = terminal;
    write.mock.restore();
    mock.timers.reset();
  }
  return lines;
}

test("output that is no terminal gets a line at every tenth, and at the end", () => {
  const lines = plainLines((move) => {
    for (let percent = 0; percent < 100; percent++) move(percent / 100, 1);
  });
  const tenths = Array.from({ length: 10 }, (_, i) => `at ${i / 10}\n`);
  assert.deepEqual(lines, [...tenths, "at 0.99\n"]);
});

test("it gets one every minute where tenths take longer", () => {
  const lines = plainLines((move) => {
    for (let i = 0; i < 150; i++) move(0.001 * i, 1);
  });
  assert.deepEqual(lines, ["at 0\n", "at 0.06\n", "at 0.1\n", "at 0.149\n"]);
});

/** A run in its fifth of twenty steps. */
function view(report?: { count: number }): string {
  const history: LiveRecord[] = [1, 2, 3, 4, 5].map((step) => ({
    ...{ step, epoch: 0, loss: 2 / step, lr: 1e-4, imagesPerSecond: 64 },
  }));
  const run = { name: "r", totalSteps: 20, history, state: "running", done: Promise.resolve(), report };
  return new LiveRunView({ ...run, onRecord: () => () => {} } as unknown as LiveRun).html();
}

test("the chart of a run reaches to its last step, so that the curves grow into their place", () => {
  const svg = Buffer.from(/src="data:image\/svg\+xml;base64,([^"]+)"/.exec(view())![1], "base64").toString();
  for (const step of ["5", "10", "15", "20"]) assert.ok(svg.includes(`>${step}<`), step);
  const curves = svg.slice(svg.indexOf('viewBox="0 0 1000'));
  const curve = [.../ d="(M[^"]+)"/.exec(curves)![1].matchAll(/[ML]([\d.]+)/g)].map(([, x]) => Number(x));
  assert.deepEqual(curve, [50, 100, 150, 200, 250]);
});

test("images that could not be read are told where there are any, and only there", () => {
  const report = (count: number) => ({ count, toString: () => `${count} images could not be read:\n  a` });
  assert.match(view(report(2)), /2 images could not be read; run\.report names them/);
  for (const none of [undefined, report(0)]) assert.doesNotMatch(view(none), /could not be read|run\.report/);
});

test("on paper a page has its cells whole, and nothing to click", () => {
  const print = /@media print \{((?:[^{}]*\{[^{}]*\})*)/.exec(pageStyle)![1];
  const rule = (selector: string) => new RegExp(`(?:^|\\s)${selector} \\{([^}]*)\\}`).exec(print)?.[1] ?? "";
  assert.match(rule("nav"), /display: none/);
  assert.match(rule("\\.cell"), /break-inside: avoid/);
  assert.match(rule("main"), /max-width: none/);
});
