import { getEventListeners } from "node:events";
import fs from "node:fs";
import { describe, it, mock } from "node:test";
import { inspect } from "node:util";
import { brief } from "../../../src/core/brief";
import { differences, valueText } from "../../../src/core/differences";
import { engineCache } from "../../../src/core/engineCache";
import { LuvitError, listOffenders, withPath } from "../../../src/core/errors";
import { identityOf } from "../../../src/core/fileIdentity";
import { fileSystemPath, textOfName } from "../../../src/core/fileNames";
import { allFinite } from "../../../src/core/finite";
import { expectFolderNames, FOLDER_NAMES, isFolderName, notFolderNames } from "../../../src/core/folderNames";
import { gitLfsPointer, LONGEST_POINTER } from "../../../src/core/gitLfsPointer";
import { groupBy } from "../../../src/core/groupBy";
import { formatShape, type HostTensor, sizeOf, streamOf } from "../../../src/core/hostTensor";
import { inGroups } from "../../../src/core/inGroups";
import { kernelHost, setKernelHost } from "../../../src/core/kernelHost";
import { breathe, Turn } from "../../../src/core/loop";
import { mean, sum } from "../../../src/core/mean";
import {
  imageNetMean,
  imageNetStd,
  usualCropRatio,
  usualPreprocessing,
} from "../../../src/core/preprocessing";
import { printable, printableLines } from "../../../src/core/printable";
import { isRunning, startOf } from "../../../src/core/processes";
import { beginWork, showWorkWith } from "../../../src/core/progress";
import { bilinearAxis, bilinearWeights, nearestIndices, resizePlanes } from "../../../src/core/resample";
import { interruptible, withStopRequest } from "../../../src/core/stopRequest";
import { textTable } from "../../../src/core/textTable";
import { Calls } from "../../support/calls";

describe("of the small parts below everything", () => {
  it("what becomes of values in messages is approved", async () => {
    const calls = new Calls();
    calls.title("brief");
    const cyclic: unknown[] = [];
    cyclic.push(cyclic);
    for (const value of [undefined, null, Number.NaN, 1.5, "ä\n", [1, { a: "é" }], () => 1, cyclic, 3n])
      await calls.does(`brief of ${typeof value}`, () => brief(value));
    for (const length of [77, 78, 79, 80]) await calls.of(brief, "x".repeat(length));
    for (const longest of [0, 1, 6, 7, 8]) await calls.of(brief, [1, 23, 4], longest);
    calls.title("differences");
    for (const value of [undefined, null, 'a"b', 0, [1], { b: undefined, a: 2 }])
      await calls.of(valueText, value);
    const was = { a: 1, same: [1, 2], deep: { heads: 2, gone: "x", list: [1, 2] }, not: null, u: undefined };
    const now = { deep: { heads: 4, list: [2, 1], more: { x: 1 } }, same: [1, 2], not: {}, a: "1", z: false };
    await calls.of(differences, was, now);
    await calls.of(differences, now, was, "encoder");
    await calls.of(differences, was, was);
    for (const [a, b] of [
      [1, 2],
      [[1], { 0: 1 }],
      [null, {}],
      [{}, null],
      [undefined, 0],
      ["1", 1],
      [{}, {}],
    ])
      await calls.of(differences, a, b);
    await calls.of(differences, { a: undefined }, {});
    calls.title("errors");
    const error = new LuvitError("bad-image", "two\nlines\twith \u001b[2J and \u202e", {
      cause: new Error("below"),
    });
    calls.note("error", error);
    calls.note("inspected", inspect(error));
    calls.note("names", [error.name, error.code, error instanceof Error, Object.keys(error)]);
    calls.note("of what is no text", new LuvitError("engine", 5 as never).message);
    const lines = Array.from({ length: 42 }, (_, i) => `l${i}`);
    for (const count of [0, 1, 39, 40, 41, 42])
      await calls.does(`last of ${count} offenders`, () =>
        listOffenders(lines.slice(0, count)).split("\n").slice(-2),
      );
    for (const limit of [0, 1, 2, 3]) await calls.of(listOffenders, ["a", "b"], limit);
    await calls.does("withPath, good", () => withPath("a/b", () => 7));
    const refuse = (thrown: unknown) => () => {
      throw thrown;
    };
    await calls.does("withPath, of this library", () =>
      withPath("a\u001b/b", refuse(new LuvitError("refused-file", "x: y"))),
    );
    await calls.does("withPath, another", () => withPath("a", refuse(new TypeError("z"))));
    calls.title("printable");
    const names = [
      "a b",
      "\n\r\t",
      "\u001b[2J\u0007\u007f\u0080\u009f\u00a0",
      "\u202a\u202e\u2066\u200e\u061c\u2028\u2029",
      "\ud800x",
      "\udc80\udcff\udbff",
      "ä日😀",
      "",
    ];
    for (const name of names) {
      await calls.of(printable, name);
      await calls.of(printableLines, name);
    }
    await calls.of(printableLines, "a\u0001\n\tb\r\nc");
    calls.title("tables");
    await calls.does("numbers to the right", () =>
      textTable(
        ["name", "n", "mixed", "dash"],
        [
          ["a", "1", "1", "–"],
          ["bcdefg", "-22.5", "x", "3 ± 0.1"],
          ["\u0007", "+3.", "", "−1"],
        ],
      ).split("\n"),
    );
    await calls.does("no rows", () => textTable(["name", "n"], []).split("\n"));
    await calls.does("empty cells and a short name", () =>
      textTable(
        ["n", "longer"],
        [
          ["1000", ""],
          ["", "e"],
        ],
      ).split("\n"),
    );
    calls.approve("core/values");
  });

  it("what becomes of names and places is approved", async () => {
    const calls = new Calls();
    calls.title("engineCache");
    const environment = { LUVIT_ENGINE_CACHE: "/own", XDG_CACHE_HOME: "/xdg", LOCALAPPDATA: "/local" };
    for (const platform of ["linux", "darwin", "win32", "freebsd"]) {
      for (const key of [undefined, ...Object.keys(environment)] as (keyof typeof environment | undefined)[])
        await calls.of(engineCache, key ? { [key]: environment[key] } : {}, platform, "/home/me");
      await calls.of(
        engineCache,
        { LUVIT_ENGINE_CACHE: "", XDG_CACHE_HOME: "", LOCALAPPDATA: "" },
        platform,
        "/home/me",
      );
    }
    await calls.of(engineCache, environment, "win32", "/home/me");
    calls.title("identities");
    await calls.of(identityOf, { dev: 1, ino: 2, size: 3, mtimeMs: 4.5, ctimeMs: 9 });
    calls.title("names of files");
    for (const hex of [
      "",
      "6162",
      "c3a4",
      "c3",
      "e697a5",
      "e697",
      "f09f9880",
      "f09f98",
      "80",
      "ff",
      "c0af",
      "eda080",
      "efbbbf61",
      "61e462",
      "f8888080",
      "c3c3a4",
    ]) {
      const bytes = new Uint8Array(Buffer.from(hex, "hex"));
      await calls.does(`${hex}`, () => [...textOfName(bytes)].map((one) => one.codePointAt(0)!.toString(16)));
      await calls.does(`${hex} and back`, () =>
        Buffer.from(fileSystemPath(textOfName(bytes))).toString("hex"),
      );
    }
    for (const path of ["", "a/b", "ä/😀", "a\udc80b😀\udcff", "\udcff/", "\udc7f", "\udd00", "\ud800"])
      await calls.of(fileSystemPath, path);
    calls.title("names of folders");
    const good = ["a", "a b", "a-b_c.d", "Ä", "日".repeat(85), "x".repeat(255)];
    const bad = [
      "",
      " a",
      "a ",
      ".",
      "..",
      ".a",
      "a.",
      "a/b",
      "a\\b",
      "a:b",
      "a*",
      "a?",
      'a"',
      "a<",
      "a>",
      "a|",
      "a\nb",
      "\u202ea",
      "日".repeat(86),
      "x".repeat(256),
      "a\u007f",
      "\ud800",
    ];
    for (const name of [...good, ...bad]) await calls.of(isFolderName, name);
    await calls.of(notFolderNames, ["a", "b", "A", "b", "", "c", "É", "é"]);
    calls.note("FOLDER_NAMES", FOLDER_NAMES);
    await calls.of(expectFolderNames, "suite", []);
    await calls.of(expectFolderNames, "suite", ["a", "b"]);
    await calls.of(expectFolderNames, "suite", ["a", "A", "x/\u0007", "b"]);
    calls.title("pointers of Git LFS");
    const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    const from = (text: string) => gitLfsPointer(new TextEncoder().encode(text));
    const texts = [
      pointer,
      pointer.replaceAll("\n", "\r\n"),
      pointer.replace("git-lfs.github.com", "hawser.github.com"),
      pointer.replace("git-lfs.github.com", "git-media.io"),
      pointer.replace("https", "http"),
      pointer.replace("git-lfs.github.com", "github.com"),
      pointer.replace("size 12345\n", ""),
      pointer.replace("size", "the size"),
      pointer.replace("12345", "12345x"),
      `\n${pointer}`,
      `x${pointer}`,
      pointer.slice(0, 42),
      pointer.slice(0, 43),
      "",
      "version 1",
      pointer.replace("spec/v1", ""),
    ];
    for (const text of texts) await calls.does(JSON.stringify(text), () => from(text));
    const filled = (length: number) => `${pointer.slice(0, 43)}${"x".repeat(length)}\nsize 7\n`;
    for (const length of [900, LONGEST_POINTER - 43 - 8, LONGEST_POINTER - 43 - 1, LONGEST_POINTER])
      await calls.does(`a size after ${length} letters`, () => from(filled(length)));
    calls.title("kernel host");
    await calls.does("none", () => kernelHost());
    const host = {
      id: "k",
      openComm: () => undefined as never,
      registerTarget: () => {},
      clearOutput: () => {},
    };
    setKernelHost(host);
    calls.note("set", [
      kernelHost() === host,
      Object.keys(globalThis).length > 0 && (globalThis as never)[Symbol.for("luvit.kernel.host")] === host,
    ]);
    setKernelHost(undefined);
    calls.note("taken away", kernelHost());
    calls.approve("core/names");
  });

  it("what becomes of numbers is approved", async () => {
    const calls = new Calls();
    calls.title("finite");
    for (let length = 0; length < 10; length++)
      await calls.of(
        allFinite,
        Float32Array.from({ length }, (_, i) => i - 3.4e38),
      );
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      for (const at of [0, 1, 2, 3, 4, 5, 6])
        await calls.of(
          allFinite,
          Float32Array.from({ length: 7 }, (_, i) => (i === at ? bad : i)),
        );
    calls.title("groups");
    await calls.does("groupBy", () =>
      groupBy(["bb", "a", "cc", "d", "eee", "ff"], (word) => String(word.length)),
    );
    await calls.does("groupBy of a set, of none", () => [
      groupBy(new Set([3, 1]), String),
      groupBy([], String),
    ]);
    const half = 2 ** 25;
    for (const sizes of [
      [],
      [0],
      [half, half, 1],
      [half, half, 0, 1],
      [half + 1, half],
      [2 ** 27, 1],
      [1, 2 ** 27, 2 ** 27, 3],
      [2 ** 26, 2 ** 26],
    ])
      await calls.does(`inGroups ${sizes}`, () => inGroups(sizes, (size) => size));
    calls.title("tensors");
    for (const shape of [[], [0], [3], [2, 3, 5], [4, 0]]) {
      await calls.of(sizeOf, shape);
      await calls.of(formatShape, shape);
    }
    let peeks = 0;
    const tensor: HostTensor = {
      shape: [3],
      get data(): Float32Array {
        throw new Error("data asked for");
      },
      peek: () => Float32Array.of(++peeks, 2, 3),
    };
    const stream = streamOf(
      new Map<string, HostTensor>([
        ["a", tensor],
        ["b", { shape: [1, 2], data: Float32Array.of(7, 8) }],
      ]),
    );
    calls.note("shapes", stream.shapes);
    await calls.once("read", () => stream.read(["b", "a"]));
    await calls.once("read again", () => stream.read(["a"]));
    await calls.does("read of none", () => stream.read([]));
    calls.title("means");
    for (const values of [[], [3], [1, 2, 6.5], [-1, 1]]) {
      await calls.of(sum, values);
      await calls.of(mean, values);
    }
    calls.title("preprocessing");
    calls.note("constants", [imageNetMean, imageNetStd]);
    for (const size of [1, 96, 223, 224, 225, 384]) {
      await calls.of(usualCropRatio, size);
      await calls.of(usualPreprocessing, size);
    }
    await calls.of(usualPreprocessing, 224, 1);
    await calls.of(usualPreprocessing, 384, 0.95);
    calls.title("resampling");
    for (const [inputs, outputs] of [
      [1, 1],
      [1, 3],
      [3, 1],
      [2, 5],
      [5, 2],
      [3, 4],
      [4, 3],
      [7, 7],
      [14, 16],
    ]) {
      await calls.of(bilinearWeights, inputs, outputs);
      await calls.of(bilinearAxis, inputs, outputs);
      await calls.of(nearestIndices, inputs, outputs);
    }
    await calls.does("nearest, rounded in single precision", () =>
      Array.from(nearestIndices(10, 3))
        .concat(...nearestIndices(41, 97))
        .join(" "),
    );
    const planes = Float32Array.from({ length: 2 * 3 * 5 }, (_, i) => ((i * 7) % 11) - (i > 14 ? 20 : 0));
    for (const [rows, columns] of [
      [3, 5],
      [5, 3],
      [2, 7],
      [1, 1],
      [6, 10],
    ])
      await calls.of(resizePlanes, planes, 3, 5, rows, columns);
    await calls.of(resizePlanes, [1, 2, 3], 3, 1, 2, 2);
    await calls.of(resizePlanes, [], 3, 1, 2, 2);
    calls.approve("core/numbers");
  });

  it("what goes on in time is approved", async () => {
    const calls = new Calls();
    calls.title("turns");
    const order: string[] = [];
    setImmediate(() => order.push("immediate"));
    await Promise.resolve().then(() => order.push("promise"));
    await breathe();
    order.push("breathed");
    calls.note("order", order);
    let now = 1000;
    const clock = mock.method(performance, "now", () => now);
    const ended = new AbortController();
    ended.abort(new Error("ended"));
    const [turn, long] = [new Turn(ended.signal), new Turn()];
    let passed = 0;
    for (const time of [1000, 1014.9, 1015, 1029.9, 1030, 1044.9, 1045]) {
      now = time;
      await calls.once(`a stopped turn at ${time}`, () => turn.pass());
      setImmediate(() => passed++);
      await long.pass();
      calls.note(`others that had their turn at ${time}`, passed);
    }
    clock.mock.restore();
    calls.title("work");
    const unseen = beginWork({ label: "a", total: 3, kept: 1 });
    await calls.does("shown to nobody", () => [unseen.advance(1), unseen.end("done")]);
    const seen: unknown[] = [];
    showWorkWith((work) => ({
      advance: (done) => seen.push(["advance", done]),
      end: (state) => seen.push([state, work]),
    }));
    const view = beginWork({ label: "b", total: 5, kept: 2, unit: "bytes" });
    view.advance(1);
    view.end("stopped");
    calls.note("shown", seen);
    showWorkWith(() => unseen);
    calls.title("processes");
    calls.note("this one", [
      isRunning(process.pid),
      isRunning(process.ppid),
      isRunning(1),
      isRunning(2 ** 30),
    ]);
    for (const code of ["EPERM", "ESRCH", "EINVAL"]) {
      const kill = mock.method(process, "kill", () => {
        throw Object.assign(new Error(code), { code });
      });
      calls.note(`where the system says ${code}`, isRunning(5));
      calls.note("asked", kill.mock.calls[0].arguments);
      kill.mock.restore();
    }
    const stat = mock.method(
      fs,
      "readFileSync",
      () => `7 (a) b (c) S ${Array.from({ length: 30 }, (_, i) => i + 4).join(" ")}`,
    );
    calls.note("the twentieth number behind the name", startOf(7));
    stat.mock.restore();
    calls.note("its start", [/^\d+$/.test(startOf(process.pid) ?? ""), startOf(2 ** 30)]);
    calls.title("stopping");
    const listeners = () => process.listenerCount("SIGINT");
    const before = listeners();
    const outer = new AbortController();
    const log: unknown[] = [];
    const given = await withStopRequest(outer.signal, async (request) => {
      log.push([listeners() - before, request.stopped, request.signal.aborted]);
      request.stop();
      log.push([request.stopped, (request.signal.reason as Error).name]);
      return 7;
    });
    calls.note("stopped from inside", [log, given, listeners() - before, outer.signal.aborted]);
    await withStopRequest(outer.signal, async (request) => {
      outer.abort(new Error("outer"));
      log.push(["from outside", request.stopped, (request.signal.reason as Error).message]);
    });
    await withStopRequest(
      outer.signal,
      async (request) => void log.push(["before", request.stopped]),
      new Error("own reason"),
    );
    await withStopRequest(
      undefined,
      async (request) => {
        process.emit("SIGINT");
        log.push(["interrupted", request.stopped, (request.signal.reason as Error).message]);
      },
      new Error("own reason"),
    );
    calls.note("log", log.slice(2));
    await calls.does("a body that throws", () =>
      withStopRequest(undefined, async () => {
        throw new Error("body");
      }),
    );
    calls.note("listeners after", listeners() - before);
    const kept = new AbortController();
    const heard = () => getEventListeners(kept.signal, "abort").length;
    const during = await withStopRequest(kept.signal, async () => heard());
    calls.note("listeners of the caller's signal, during and after", [during, heard()]);
    await withStopRequest(kept.signal, async () => {
      throw new Error("body");
    }).catch(() => {});
    calls.note("and after a body that throws", heard());
    let begun = false;
    const promise = withStopRequest(undefined, async () => {
      begun = true;
    });
    calls.note("begun at once", begun);
    await promise;
    calls.note("begun later", begun);
    const until = (signal: AbortSignal) =>
      new Promise<never>((_, reject) => {
        if (signal.aborted) reject(signal.reason);
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    const stopped = new AbortController();
    setTimeout(() => stopped.abort(new Error("mine")), 5);
    await calls.once("interruptible", () => interruptible(stopped.signal, "evaluate", until));
    await calls.does("interruptible, before", () =>
      interruptible(stopped.signal, "evaluate", async (signal) => signal.throwIfAborted()),
    );
    await calls.does("interruptible, whole", () =>
      interruptible(undefined, "evaluate", async (signal) => signal.aborted),
    );
    calls.note("listeners after", listeners() - before);
    calls.approve("core/time");
  });
});
