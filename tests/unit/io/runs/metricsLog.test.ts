import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  appendMetrics,
  readMetrics,
  replaceMetrics,
  syncMetrics,
  truncateMetrics,
} from "../../../../src/io/runs/metricsLog";
import { writeMetricsTable } from "../../../../src/io/runs/metricsTable";
import { readTable } from "../../../../src/io/tables";
import { assertRejects, temporaryFolder } from "../support";

const newLog = () => join(temporaryFolder(), "run", "metrics.jsonl");
const steps = async (path: string) => (await readMetrics(path)).map(({ step }) => step);

test("records are appended and read back; a log that is not there is empty", async () => {
  const path = newLog();
  assert.deepEqual(await readMetrics(path), []);
  await appendMetrics(path, { step: 1, loss: 0.5 });
  await appendMetrics(path, { step: 2, loss: Number.NaN, "top 1\n": 2.5 });
  assert.deepEqual(await readMetrics(path), [
    { step: 1, loss: 0.5 },
    { step: 2, loss: null, "top 1\n": 2.5 },
  ]);
});

test("a torn last line is left out, and cut before the next record", async () => {
  const path = newLog();
  await appendMetrics(path, { step: 1 });
  appendFileSync(path, '{"step": 2, "lo');
  assert.deepEqual(await steps(path), [1]);
  await appendMetrics(path, { step: 3 });
  assert.deepEqual(await steps(path), [1, 3]);
  assert.equal(readFileSync(path, "utf8"), '{"step":1}\n{"step":3}\n');
});

test("damage before the last line is an error that names the line", async () => {
  const path = join(temporaryFolder(), "metrics.jsonl");
  writeFileSync(path, '{"step":1}\ngarbage\n{"step":3}\n');
  await assertRejects(() => readMetrics(path), "bad-file", "line 2");
  writeFileSync(path, '{"step":1}\n{"loss":3}\n');
  await assertRejects(() => readMetrics(path), "bad-file", "line 2");
});

test("what is no number in a log is named with its line", async () => {
  const path = join(temporaryFolder(), "metrics.jsonl");
  writeFileSync(path, '{"step":1,"loss":null}\n{"step":2,"loss":"<b>","lr":[1],"top1":3}\n');
  await assertRejects(
    () => readMetrics(path),
    "bad-file",
    /line 2: expected numbers.*loss: "<b>".*lr: \[1\]/s,
  );
});

test("records after a step are dropped for resuming", async () => {
  const path = newLog();
  for (const step of [1, 2, 3, 4]) await appendMetrics(path, { step });
  assert.equal(await truncateMetrics(path, 2), 2);
  assert.deepEqual(await steps(path), [1, 2]);
  assert.equal(await truncateMetrics(join(temporaryFolder(), "none"), 2), 0);
});

test("a record takes the place of the last line, whole or torn, first or long", async () => {
  const path = newLog();
  await appendMetrics(path, { step: 1, loss: 0.5 });
  await replaceMetrics(path, { step: 1, loss: 0.5, top1: 40 });
  assert.deepEqual(await readMetrics(path), [{ step: 1, loss: 0.5, top1: 40 }]);
  await appendMetrics(path, { step: 2, ["é".repeat(30_000)]: 1 });
  appendFileSync(path, '{"step": 3');
  await replaceMetrics(path, { step: 2, top1: 50 });
  assert.deepEqual(await readMetrics(path), [
    { step: 1, loss: 0.5, top1: 40 },
    { step: 2, top1: 50 },
  ]);
});

test("a log's table has a column for every number that any line has, and where it comes from", async () => {
  const path = join(temporaryFolder(), "metrics.arrow");
  await writeMetricsTable(
    path,
    [
      { step: 1, loss: 0.5 },
      { step: 2, top1: 40 },
      { step: 3, loss: null },
    ],
    { seed: 4, model: "m" },
  );
  const table = await readTable(path);
  const column = (name: string) => [...table.getChild(name)!];
  assert.deepEqual(
    [column("step"), column("loss"), column("top1")],
    [
      [1, 2, 3],
      [0.5, null, null],
      [null, 40, null],
    ],
  );
  assert.deepEqual(
    [column("seed"), column("model")],
    [
      [4, 4, 4],
      ["m", "m", "m"],
    ],
  );
});

test("a log that is a link is neither written nor cut where the link leads", async () => {
  const folder = temporaryFolder();
  const [target, path] = [join(folder, "precious"), join(folder, "metrics.jsonl")];
  writeFileSync(target, "precious, without an end");
  symlinkSync(target, path);
  const refusal = ["bad-file", "is a link"] as const;
  await assertRejects(() => appendMetrics(path, { step: 1 }), ...refusal);
  await assertRejects(() => replaceMetrics(path, { step: 1 }), ...refusal);
  assert.equal(readFileSync(target, "utf8"), "precious, without an end");
});

test("a last line without its end is read where it is whole, empty lines are passed over, lines of other values are damage", async () => {
  const path = join(temporaryFolder(), "metrics.jsonl");
  const written = async (text: string) => {
    writeFileSync(path, text);
    return steps(path);
  };
  assert.deepEqual(await written('{"step":1}\n{"step":2}'), [1, 2]);
  assert.deepEqual(await written('\n{"step":1}\r\n  \n\n{"step":2}\n\n'), [1, 2]);
  assert.deepEqual(await written('{"step":1}\n{"st'), [1]);
  assert.deepEqual(await written('{"st'), []);
  assert.deepEqual(await written(""), []);
  for (const line of ["null", "7", '"step"', "[]", '{"step":"1"}', '{"step":null}', "{}"]) {
    await assertRejects(
      () => written(`${line}\n{"step":2}\n`),
      "bad-file",
      "metrics.jsonl: line 1 is damaged",
    );
    await assertRejects(
      () => written(`{"step":2}\n${line}\n`),
      "bad-file",
      "metrics.jsonl: line 2 is damaged",
    );
    await assertRejects(() => written(`{"step":2}\n${line}\n{"st`), "bad-file", "line 2 is damaged");
  }
});

test("the last line is taken away alone, whatever its length and that of the file", async () => {
  const path = join(temporaryFolder(), "metrics.jsonl");
  const record = (step: number, length: number) => {
    const short = JSON.stringify({ step, "": 0 });
    return JSON.stringify({ step, ["x".repeat(length - short.length - 1)]: 0 });
  };
  for (const last of [100, 16_382, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537]) {
    for (const first of [undefined, 50, 70_000]) {
      const before = first === undefined ? "" : `${record(1, first)}\n`;
      const own = record(2, last);
      assert.equal(own.length, last - 1);
      writeFileSync(path, `${before}${own}\n`);
      await replaceMetrics(path, { step: 3 });
      assert.equal(readFileSync(path, "utf8"), `${before}{"step":3}\n`, `${last} bytes behind ${first}`);
    }
  }
});

test("a folder or a pipe in a log's place is refused, and nothing is left open", async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "place.jsonl"));
  await assertRejects(
    () => appendMetrics(join(folder, "place.jsonl"), { step: 1 }),
    "bad-file",
    "place.jsonl",
  );
  const path = join(folder, "open.jsonl");
  for (const step of [1, 2]) await appendMetrics(path, { step });
  await replaceMetrics(path, { step: 3 });
  await syncMetrics(path);
  await truncateMetrics(path, 1);
  if (!existsSync("/proc/self/fd")) return;
  const links = readdirSync("/proc/self/fd").flatMap((name) => {
    try {
      return [readlinkSync(join("/proc/self/fd", name))];
    } catch {
      return [];
    }
  });
  assert.deepEqual(
    links.filter((link) => link.startsWith(folder)),
    [],
  );
  assert.deepEqual(await steps(path), [1]);
});
