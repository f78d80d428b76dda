import { spawnSync } from "node:child_process";
import fs, {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import fsPromises from "node:fs/promises";
import { hostname } from "node:os";
import { basename, join } from "node:path";
import { describe, it, mock } from "node:test";
import { codeVersion } from "../../../../src/core/commit";
import { type HostTensor, streamOf } from "../../../../src/core/hostTensor";
import { startOf } from "../../../../src/core/processes";
import * as runs from "../../../../src/io/runs";
import { readTable } from "../../../../src/io/tables";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";

const tensors = (...names: string[]) =>
  streamOf(
    new Map(
      names.map((name, i): [string, HostTensor] => [
        name,
        { shape: [2, i + 1], data: Float32Array.from({ length: 2 * (i + 1) }, (_, k) => k - i) },
      ]),
    ),
  );
/** Number of a process that has just ended. */
const ended = () => spawnSync(process.execPath, ["-e", ""]).pid;

describe("of runs", () => {
  it("what logs hold is approved", async () => {
    const tmp = temporaryFolder("logs");
    const calls = new Calls({ tmp });
    const path = join(tmp, "deep", "metrics.jsonl");
    const text = () => readFileSync(path, "utf8");
    await calls.once("append", () => runs.appendMetrics(path, { step: 1, loss: 0.5, lr: Number.NaN }));
    await calls.once("and again", () =>
      runs.appendMetrics(path, { step: 2, loss: null, "acc ä": Number.POSITIVE_INFINITY }),
    );
    calls.note("text", text());
    for (const [name, torn] of Object.entries({
      "a torn line": '{"step":3,"lo',
      "a whole line without an end": '{"step":3}',
      "only an end": "\n",
    })) {
      writeFileSync(path, `{"step":1}\n{"step":2}\n${torn}`);
      await calls.does(`read, ${name}`, () => runs.readMetrics(path));
      await calls.once("  append", () => runs.appendMetrics(path, { step: 4 }));
      calls.note("  text", text());
      writeFileSync(path, `{"step":1}\n{"step":2}\n${torn}`);
      await calls.once("  replace", () => runs.replaceMetrics(path, { step: 5 }));
      calls.note("  text", text());
    }
    for (const content of [
      "",
      "\n",
      '{"step":1}\n',
      '{"step":1}',
      "x",
      `{"step":1}\n${" ".repeat(20000)}{"step":2}\n`,
      `{"step":1,"a":${"1".repeat(20000)}}\n`,
    ]) {
      writeFileSync(path, content);
      await calls.once(`replace the last of ${content.length} letters`, () =>
        runs.replaceMetrics(path, { step: 9 }),
      );
      calls.note("  text", text());
    }
    const damaged = [
      '{"step":1}\n\n  \n{"step":2}\n',
      '{"step":1}\nx\n{"step":2}\n',
      '{"step":1}\nx\n',
      '{"step":1}\nx',
      '{"loss":1}\n',
      '{"step":"1"}\n',
      "[1]\n",
      "null\n",
      '{"step":1,"a":"x","b":[1]}\n',
      '{"step":1,"a":null}\r\n',
      '\ufeff{"step":1}\n{"step":2}\n',
      '{"step":1,"\\u001b":"x"}\n',
    ];
    for (const content of damaged) {
      writeFileSync(path, content);
      await calls.does(`read ${JSON.stringify(content)}`, () => runs.readMetrics(path));
    }
    for (const step of [0, 2, 3, 9]) {
      writeFileSync(path, [1, 3, 2, 7].map((one) => `{"step":${one},"a":null}\n`).join(""));
      await calls.once(`truncate to ${step}`, () => runs.truncateMetrics(path, step));
      calls.note("  text", text());
    }
    await calls.does("no log", async () => [
      await runs.readMetrics(join(tmp, "none")),
      await runs.truncateMetrics(join(tmp, "none"), 3),
      existsSync(join(tmp, "none")),
    ]);
    await calls.does("sync", () => runs.syncMetrics(path));
    symlinkSync(path, join(tmp, "link"));
    await calls.does("append to a link", () => runs.appendMetrics(join(tmp, "link"), { step: 1 }));
    await calls.does("replace in a link", () => runs.replaceMetrics(join(tmp, "link"), { step: 1 }));
    await calls.does("append to a folder", () => runs.appendMetrics(tmp, { step: 1 }));
    await calls.does("append below a file", () => runs.appendMetrics(join(path, "x"), { step: 1 }));
    await calls.does("read a folder", () => runs.readMetrics(tmp));
    calls.note("left", [readdirSync(tmp).sort(), readdirSync(join(tmp, "deep"))]);
    calls.title("tables");
    const table = join(tmp, "t.arrow");
    await runs.writeMetricsTable(
      table,
      [
        { step: 1, loss: 0.5 },
        { step: 2, acc: 3, loss: null },
      ],
      { model: "m", seed: 3 },
    );
    const read = await readTable(table);
    calls.note(
      "columns",
      read.schema.fields.map(({ name, type }) => [
        name,
        `${type}`,
        name === "commit" ? read.getChild(name)!.get(0) === codeVersion() : Array.from(read.getChild(name)!),
      ]),
    );
    await runs.writeMetricsTable(table, [], {});
    calls.note(
      "of none",
      (await readTable(table)).schema.fields.map(({ name }) => name),
    );
    calls.title("run folders");
    for (const name of ["metrics.jsonl", "state.json", "other"]) {
      const folder = join(tmp, `has ${name}`);
      mkdirSync(folder);
      writeFileSync(join(folder, name), "");
      await calls.of(runs.isRunFolder, folder);
    }
    for (const given of [join(tmp, "nowhere"), path, "", 5]) await calls.of(runs.isRunFolder, given);
    calls.approve("io/runs logs");
  });

  it("who has a folder is approved", async () => {
    const tmp = temporaryFolder("locks");
    const calls = new Calls({ tmp, "own lock": `run.lock.${process.pid}` });
    const lock = join(tmp, runs.LOCK_FILE);
    const told = (holder: unknown) => {
      const { pid, start, host, since, ...more } = holder as runs.LockHolder;
      return [
        pid === process.pid ? "this process" : pid === undefined ? pid : "another",
        start === startOf(process.pid),
        host === hostname() ? "here" : host,
        since === undefined ? since : /^\d{4}-\d\d-\d\dT/.test(since),
        Object.keys(more),
      ];
    };
    const take = (name: string) =>
      calls.once(name, () => {
        const taken = runs.RunLock.take(tmp);
        if (!(taken instanceof runs.RunLock)) return ["held", told(taken)];
        const content = told(JSON.parse(readFileSync(lock, "utf8")));
        taken.release();
        return ["taken", content, readdirSync(tmp)];
      });
    calls.note("LOCK_FILE", runs.LOCK_FILE);
    await take("free");
    const own = runs.RunLock.take(tmp) as runs.RunLock;
    await take("held by this process");
    rmSync(lock);
    await take("taken away");
    own.release();
    const holder = {
      pid: process.pid,
      start: startOf(process.pid),
      host: hostname(),
      since: "2020-01-01T00:00:00.000Z",
    };
    const found: Record<string, unknown> = {
      "of this process": holder,
      "of this process, without a start": { ...holder, start: undefined },
      "of an earlier process of this number": { ...holder, start: "1" },
      "of a process that is gone": { ...holder, pid: ended() },
      "of one elsewhere": { ...holder, host: "elsewhere", pid: 1 },
      "without a number": { ...holder, pid: undefined },
      "of number 0": { ...holder, pid: 0 },
      "of number 1.5": { ...holder, pid: 1.5 },
      "without a host": { ...holder, host: 5 },
      "without a time": { ...holder, since: undefined },
      null: null,
    };
    for (const [name, content] of Object.entries(found)) {
      writeFileSync(lock, JSON.stringify(content));
      await take(name);
      rmSync(lock, { force: true });
    }
    for (const minutes of [14.9, 15.1]) {
      writeFileSync(lock, JSON.stringify({ ...holder, host: "elsewhere" }));
      const then = Date.now() / 1000 - 60 * minutes;
      utimesSync(lock, then, then);
      await take(`of one elsewhere, renewed ${minutes} minutes ago`);
      rmSync(lock, { force: true });
    }
    for (const content of ["", "{", "x"]) {
      writeFileSync(lock, content);
      await take(`half written: ${content}`);
    }
    symlinkSync(join(tmp, "nowhere"), lock);
    await take("a link");
    rmSync(lock);
    mkdirSync(lock);
    await take("a folder");
    rmSync(lock, { recursive: true });
    await calls.once("no folder", () => runs.RunLock.take(join(tmp, "nowhere")));
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const before = timers();
    const quiet = runs.RunLock.take(tmp) as runs.RunLock;
    calls.note("timers that keep the process going", timers() - before);
    quiet.release();
    calls.title("where links and others are in the way");
    for (const code of ["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EXDEV"]) {
      const link = mock.method(fs, "linkSync", () => {
        throw Object.assign(new Error(`${code}: no links here`), { code });
      });
      await take(`no links: ${code}`);
      writeFileSync(lock, JSON.stringify(holder));
      await take("  and held");
      rmSync(lock);
      link.mock.restore();
    }
    const { renameSync: rename } = fs;
    writeFileSync(lock, "half");
    const faster = mock.method(fs, "renameSync", (from: string, to: string) => {
      writeFileSync(from, JSON.stringify(holder));
      rename(from, to);
    });
    await take("another was faster, whose lock is put back");
    faster.mock.restore();
    calls.note("it is there", [JSON.parse(readFileSync(lock, "utf8")).since, readdirSync(tmp)]);
    rmSync(lock);
    const released = runs.RunLock.take(tmp) as runs.RunLock;
    writeFileSync(lock, "another's");
    released.release();
    calls.note("another's lock stays", readFileSync(lock, "utf8"));
    rmSync(lock);
    mock.timers.enable({ apis: ["setInterval"] });
    const renewed = runs.RunLock.take(tmp) as runs.RunLock;
    const ages: boolean[] = [];
    for (const milliseconds of [19_999, 1, 20_000]) {
      utimesSync(lock, 1, 1);
      mock.timers.tick(milliseconds);
      ages.push(statSync(lock).mtimeMs > 1000);
    }
    rmSync(lock);
    mock.timers.tick(20_000);
    renewed.release();
    writeFileSync(lock, "x");
    utimesSync(lock, 1, 1);
    mock.timers.tick(60_000);
    calls.note("renewed after 19.999, 20 and 40 s, not when released", [ages, statSync(lock).mtimeMs]);
    mock.timers.reset();
    calls.note("left", readdirSync(tmp));
    calls.approve("io/runs locks");
  });

  it("what checkpoints are written, listed, read and deleted is approved", async () => {
    const tmp = temporaryFolder("checkpoints");
    const calls = new Calls({ tmp, own: `tmp-${process.pid}` });
    const run = join(tmp, "deep", "run");
    const whole = {
      model: tensors("a", "b"),
      optimizer: tensors("a.exp_avg"),
      state: { step: 7, text: "ä", list: [1.5, null] },
    };
    const there = () =>
      readdirSync(run)
        .map((name) => name.replaceAll(`tmp-${process.pid}`, "tmp-own"))
        .sort();
    const write = (name: string, step: number, more = {}) =>
      calls.once(name, () => runs.writeTrainingCheckpoint(run, step, { ...whole, ...more }));
    const read = (name: string, folder: string) =>
      calls.once(name, async () => {
        const { close, ...found } = await runs.readTrainingCheckpoint(folder);
        const numbers = (state?: ReadonlyMap<string, HostTensor>) =>
          state && [...state].map(([key, { shape, data }]) => [key, shape, data]);
        const told = {
          ...found,
          model: numbers(found.model),
          optimizer: numbers(found.optimizer),
          average: numbers(found.average),
          helpers: numbers(found.helpers),
        };
        await close();
        return told;
      });
    await calls.does("list of none", () => runs.listTrainingCheckpoints(run));
    await calls.does("latest of none", () => runs.latestTrainingCheckpoint(run));
    await write("write", 7);
    await write("write all", 1234567, {
      average: tensors("a", "b"),
      helpers: tensors("map"),
      config: { kind: "vit", depth: 2 },
    });
    for (const step of [-1, 1.5, Number.NaN, 2 ** 53, "3"]) await write(`step ${step}`, step as number);
    calls.note("there", [
      there(),
      readdirSync(join(run, "checkpoint-000007")).sort(),
      readdirSync(join(run, "checkpoint-1234567")).sort(),
    ]);
    calls.note("state.json", readFileSync(join(run, "checkpoint-000007", "state.json"), "utf8"));
    await read("read", join(run, "checkpoint-000007"));
    await read("read all", join(run, "checkpoint-1234567"));
    await calls.does("list", () => runs.listTrainingCheckpoints(run));
    await write("again, with another state", 7, { state: { other: true } });
    await read("read", join(run, "checkpoint-000007"));
    calls.note("there", there());
    const failing = {
      shapes: new Map([["a", [1]]]),
      read: async () => {
        throw new Error("out of memory");
      },
    };
    await write("numbers that cannot be had", 7, { optimizer: failing });
    await write("nor of a new one", 8, { optimizer: failing });
    calls.note("there", there());
    await read("the old one is as it was", join(run, "checkpoint-000007"));
    await read("no checkpoint", join(run, "checkpoint-000009"));
    await read("an empty name", "");
    calls.title("in which order, and at the same time");
    const log: string[] = [];
    const named1 = (path: string) => basename(path).replace(`tmp-${process.pid}`, "tmp-own");
    const { rename, rm } = fsPromises;
    const renames = mock.method(fsPromises, "rename", async (from: string, to: string) => {
      if (basename(to).startsWith("checkpoint") || basename(from).startsWith("checkpoint"))
        log.push(`${named1(from)} becomes ${named1(to)}`);
      await rename(from, to);
    });
    const { open } = fsPromises;
    const opened = mock.method(fsPromises, "open", async (path: string, flags: string, mode?: number) => {
      if (path === run) log.push(`the run's folder is opened: ${flags}`);
      return open(path, flags, mode);
    });
    const removals = mock.method(fsPromises, "rm", async (path: string, options: object) => {
      if (existsSync(path)) log.push(`${named1(path)} goes`);
      await rm(path, options);
    });
    await write("over one that is there", 7);
    calls.note("  log", log.splice(0));
    await write("a new one", 8);
    calls.note("  log", log.splice(0));
    await calls.once("prune", async () => (await runs.pruneTrainingCheckpoints(run, 2)).map(named1));
    calls.note("  log", log.splice(0));
    opened.mock.restore();
    renames.mock.restore();
    removals.mock.restore();
    let goOn = () => {};
    const slow = {
      shapes: new Map([["a", [1]]]),
      read: async () => {
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
        return { a: Float32Array.of(5) };
      },
    };
    const underWay = runs.writeTrainingCheckpoint(run, 9, { ...whole, model: slow });
    for (let i = 0; i < 200 && !readdirSync(run).some((name) => name.startsWith("checkpoint-000009")); i++)
      await new Promise((resolve) => setTimeout(resolve, 5));
    calls.note("prune while one is being written", (await runs.pruneTrainingCheckpoints(run, 1)).map(named1));
    calls.note("there", there());
    for (let i = 0; i < 200; i++) {
      goOn();
      await new Promise((resolve) => setTimeout(resolve, 2));
      if (i > 10 && existsSync(join(run, "checkpoint-000009"))) break;
    }
    calls.note("it is written", basename(await underWay));
    await read("and whole", join(run, "checkpoint-000009"));
    for (const step of [8, 9]) rmSync(join(run, `checkpoint-00000${step}`), { recursive: true, force: true });
    for (const step of [7, 1234567]) await runs.writeTrainingCheckpoint(run, step, whole);
    calls.title("what was left behind");
    for (const step of [100, 200, 300]) await runs.writeTrainingCheckpoint(run, step, whole);
    rmSync(join(run, "checkpoint-1234567"), { recursive: true });
    const gone = ended();
    renameSync(join(run, "checkpoint-000200"), join(run, `checkpoint-000200.old.tmp-${gone}`));
    for (const name of [
      `checkpoint-000400.tmp-${gone}`,
      `checkpoint-000500.gone.tmp-${gone}`,
      `checkpoint-000600.tmp-${process.pid}`,
      "checkpoint-000700.tmp-1",
      "checkpoint-12",
      "checkpoint-000800x",
      "other",
    ])
      mkdirSync(join(run, name));
    for (const name of [
      `metrics.jsonl.tmp-${gone}-55`,
      `metrics.jsonl.tmp-${process.ppid}-55`,
      "metrics.jsonl",
      `notes.tmp-${gone}`,
    ])
      writeFileSync(join(run, name), "");
    const named = (names: readonly string[]) =>
      names
        .map((name) =>
          basename(name)
            .replaceAll(`tmp-${gone}`, "tmp-gone")
            .replaceAll(`tmp-${process.pid}`, "tmp-own")
            .replaceAll(`tmp-${process.ppid}`, "tmp-parent"),
        )
        .sort();
    const listed = () =>
      calls.once("list", async () =>
        (await runs.listTrainingCheckpoints(run)).map(({ step, folder }) => [step, named([folder])[0]]),
      );
    const latest = () =>
      calls.once("latest", async () => {
        const found = await runs.latestTrainingCheckpoint(run);
        await found?.close();
        return found && [found.step, named([found.folder]), found.state, found.notes];
      });
    await listed();
    await latest();
    truncateSync(join(run, "checkpoint-000300", "model.safetensors"), 50);
    await latest();
    for (const keep of [0, -1, 1.5, Number.NaN])
      await calls.does(`prune to ${keep}`, () => runs.pruneTrainingCheckpoints(run, keep));
    await calls.once("prune to 9", async () => named(await runs.pruneTrainingCheckpoints(run, 9)));
    calls.note("there", named(readdirSync(run)));
    await calls.once("prune to 2", async () => named(await runs.pruneTrainingCheckpoints(run, 2)));
    await calls.once("prune to 1", async () => named(await runs.pruneTrainingCheckpoints(run, 1)));
    calls.note("there", named(readdirSync(run)));
    rmSync(join(run, `checkpoint-000200.old.tmp-${gone}`), { recursive: true, force: true });
    for (const name of ["state.json", "optimizer.safetensors"]) {
      await runs.writeTrainingCheckpoint(run, 100, whole);
      rmSync(join(run, "checkpoint-000100", name));
      await calls.once(`latest without ${name}`, async () =>
        named([(await runs.latestTrainingCheckpoint(run))?.folder ?? "none"]),
      );
    }
    await calls.once("prune none that can be read", async () =>
      named(await runs.pruneTrainingCheckpoints(run, 1)),
    );
    await calls.does("list of a file", () => runs.listTrainingCheckpoints(join(run, "metrics.jsonl")));
    calls.approve("io/runs checkpoints");
  });
});
