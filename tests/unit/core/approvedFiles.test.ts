import { execFileSync } from "node:child_process";
import fs, {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import fsPromises, { type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, mock } from "node:test";
import { codeVersion, commitOf } from "../../../src/core/commit";
import { LuvitError } from "../../../src/core/errors";
import { makeFolder, takeBack } from "../../../src/core/makeFolder";
import { packageRoot, packageVersion } from "../../../src/core/packageRoot";
import { PieceWriter } from "../../../src/core/pieceWriter";
import { openRegularFile, readWhole, readWholeText } from "../../../src/core/readWhole";
import {
  syncFolder,
  targetOf,
  writeAtomically,
  writeFailure,
  writeFileAtomically,
  writeJsonAtomically,
} from "../../../src/core/writeAtomically";
import { type Places, writeNumbers } from "../../../src/core/writeNumbers";
import { Calls } from "../../support/calls";
import { temporaryFolder } from "../../support/temporaryFolder";

/** Everything in a folder, with the contents of files. */
const tree = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((one) => `${join(one.parentPath, one.name).slice(folder.length + 1)}${one.isDirectory() ? "/" : ""}`)
    .sort();

describe("of files that are read and written", () => {
  it("what is made, kept and left is approved", async () => {
    const tmp = temporaryFolder("files");
    const at = (...names: string[]) => join(tmp, ...names);
    const calls = new Calls({ tmp });
    calls.title("makeFolder");
    writeFileSync(at("file"), "f");
    await calls.does("makeFolder a/b/c", () => makeFolder(at("a", "b", "c")));
    await calls.does("makeFolder of what is there", () => makeFolder(tmp));
    await calls.does("makeFolder where a file is", () => makeFolder(at("file")));
    await calls.does("makeFolder below a file", () => makeFolder(at("file", "x", "y")));
    makeFolder(at("private", "within"), 0o700);
    calls.note(
      "modes",
      ["private", "private/within"].map((name) => (statSync(at(name)).mode & 0o777).toString(8)),
    );
    await calls.does("makeFolder of a name too long", () => makeFolder(at("new", "x".repeat(300))));
    const { mkdirSync: make } = fs;
    const raced = mock.method(fs, "mkdirSync", (path: string) => {
      make(path);
      throw Object.assign(new Error("EEXIST: told"), { code: "EEXIST" });
    });
    await calls.once("makeFolder where another is faster", () => makeFolder(at("raced", "x")));
    raced.mock.restore();
    fs.rmdirSync(at("raced", "x"));
    fs.rmdirSync(at("raced"));
    let made = 0;
    const failing = mock.method(fs, "mkdirSync", (path: string) => {
      if (++made === 3) throw Object.assign(new Error("ENOSPC: told"), { code: "ENOSPC" });
      make(path);
    });
    await calls.once("makeFolder that fails on the way", () => makeFolder(at("f", "g", "h")));
    failing.mock.restore();
    calls.note("there", tree(tmp));
    takeBack([at("a"), at("a", "b"), at("a", "b", "c")]);
    writeFileSync(at("private", "kept"), "");
    takeBack([at("private"), at("private", "within")]);
    takeBack([]);
    takeBack([at("never")]);
    calls.note("taken back", tree(tmp));

    calls.title("readWhole");
    writeFileSync(at("utf8"), "\ufeffä\r\n😀");
    writeFileSync(at("empty"), "");
    writeFileSync(at("most"), "");
    truncateSync(at("most"), 256 * 2 ** 20 + 1);
    symlinkSync(at("utf8"), at("link"));
    symlinkSync(at("nowhere"), at("dangling"));
    execFileSync("mkfifo", [at("pipe")]);
    for (const name of ["utf8", "empty", "link", "dangling", "nowhere", "pipe", "most", ".", "file/x"]) {
      await calls.of(readWhole, at(name));
      await calls.of(readWholeText, at(name));
      await calls.does(`openRegularFile ${name}`, async () => {
        const { file, size } = await openRegularFile(at(name));
        await file.close();
        return size;
      });
    }

    calls.title("writeAtomically");
    await calls.does("new", () => writeAtomically(at("w", "deep", "one"), "ä\n"));
    await calls.does("replaced by bytes", () => writeAtomically(at("w", "deep", "one"), Uint8Array.of(1, 2)));
    writeFileSync(at("w", "mode"), "old", { mode: 0o640 });
    for (const how of ["at once", "later"] as const) {
      writeFileSync(at("w", "open"), "old");
      chmodSync(at("w", "open"), 0o666);
      if (how === "at once") writeAtomically(at("w", "open"), "new");
      else await writeFileAtomically(at("w", "open"), async () => {});
      calls.note(`permissions for all stay, ${how}`, (statSync(at("w", "open")).mode & 0o777).toString(8));
    }
    rmSync(at("w", "open"));
    for (const name of ["dangling", "link"])
      await calls.does(`where a ${name} is`, () => writeAtomically(at(name), "new"));
    calls.note("the target of the link", [
      readFileSync(at("utf8"), "utf8"),
      statSync(at("link")).isFile(),
      readFileSync(at("link"), "utf8"),
    ]);
    await calls.does("mode", () => writeAtomically(at("w", "mode"), "new"));
    calls.note("mode", (statSync(at("w", "mode")).mode & 0o777).toString(8));
    const name250 = "y".repeat(250);
    const errors = [at("w"), at("pipe"), at("file", "x"), at("w", "z".repeat(256)), "/proc/nothing/x"];
    for (const path of errors)
      await calls.does(`writeAtomically ${path.slice(tmp.length)}`, () => writeAtomically(path, "x"));
    await calls.does("a name of 250 letters", () => writeAtomically(at("w", name250), "x"));
    calls.note("there", tree(at("w")));

    calls.title("writeFileAtomically");
    for (const length of [199, 200, 201, 255])
      await calls.does(`the name until then, of ${length} letters`, () =>
        writeFileAtomically(at("v", "n".repeat(length)), async (handle, temporary) => {
          const last = temporary.slice(temporary.lastIndexOf("/") + 1);
          calls.note("  while it is filled", [
            last.replace(/\d+-\d+$/, "1-2").replace(/n+/, (ns) => `${ns.length} n`),
            readdirSync(at("v")).length,
            targetOf(temporary).length - at("v", "").length,
          ]);
          await handle.writeFile("x");
        }),
      );
    await calls.once("old until it is written", () =>
      writeFileAtomically(at("w", "mode"), async (handle) => {
        await handle.writeFile("newer");
        calls.note("  meanwhile", readFileSync(at("w", "mode"), "utf8"));
      }),
    );
    calls.note("then", [
      readFileSync(at("w", "mode"), "utf8"),
      (statSync(at("w", "mode")).mode & 0o777).toString(8),
    ]);
    const order: unknown[] = [];
    const { open } = fsPromises;
    const opened = mock.method(fsPromises, "open", async (path: string, flags: string, mode?: number) => {
      if (!path.includes("tmp-")) order.push(`opened ${path.slice(tmp.length)} ${flags}`);
      return open(path, flags, mode);
    });
    await writeFileAtomically(at("w", "order"), async (handle) => {
      const [sync, close] = [handle.sync.bind(handle), handle.close.bind(handle)];
      const there = () => tree(at("w")).includes("order");
      handle.sync = async () => {
        order.push([
          "sync",
          readFileSync(
            join(at("w"), readdirSync(at("w")).find((name) => name.startsWith("order.tmp-"))!),
            "utf8",
          ),
          there(),
        ]);
        await sync();
        order.push("synced");
      };
      handle.close = async () => {
        order.push(["close", there()]);
        await close();
        order.push(["closed", there()]);
      };
      await handle.writeFile("whole");
    });
    opened.mock.restore();
    calls.note("synced, closed, renamed, and then the folder", [
      order,
      readFileSync(at("w", "order"), "utf8"),
    ]);
    const fail = (error: unknown) => async (handle: FileHandle) => {
      await handle.writeFile("half");
      throw error;
    };
    const code = (name: string) => Object.assign(new Error(`${name}: told by the system`), { code: name });
    for (const [what, error] of Object.entries({
      own: new LuvitError("non-finite", "x"),
      plain: new Error("y"),
      full: code("ENOSPC"),
      quota: code("EDQUOT"),
      loop: code("ELOOP"),
    }))
      await calls.does(`fill that fails, ${what}`, () =>
        writeFileAtomically(at("u", "deep", "file"), fail(error)),
      );
    await calls.does("fill that fails over a file", () =>
      writeFileAtomically(at("w", "mode"), fail(new Error("z"))),
    );
    for (const path of errors.filter((one) => !one.includes("zz")))
      await calls.does(`writeFileAtomically ${path.slice(tmp.length)}`, () =>
        writeFileAtomically(path, async () => {}),
      );
    calls.note("what is left", [
      readFileSync(at("w", "mode"), "utf8"),
      tree(at("w")).length,
      tree(tmp).filter((name) => name.startsWith("u")),
      tree(tmp).filter((name) => name.includes("tmp-")),
    ]);
    await calls.does("writeJsonAtomically", async () => {
      await writeJsonAtomically(at("json"), { a: [1, "ä"], b: undefined, c: {} });
      return readFileSync(at("json"), "utf8");
    });
    await calls.does("of what JSON cannot say", () => writeJsonAtomically(at("json"), 1n));
    calls.note("kept", readFileSync(at("json"), "utf8"));
    await calls.does("syncFolder", () => syncFolder(tmp));
    await calls.does("syncFolder of none", () => syncFolder(at("nowhere")));
    for (const path of ["a/b.tmp-12-345", "a/b.tmp-12", "a.tmp-1-2.tmp-3-4", "a.tmp-1-2/b", "b.tmp--1-2"])
      await calls.of(targetOf, path);
    await calls.of(writeFailure, "p", code("EACCES"));
    calls.approve("core/files");
  });

  it("what goes to the disk in which order is approved", async () => {
    const tmp = temporaryFolder("pieces");
    const calls = new Calls({ tmp });
    calls.title("PieceWriter");
    let log: unknown[] = [];
    let mayWrite = (_: number) => Number.POSITIVE_INFINITY;
    const soon = () => new Promise((resolve) => setTimeout(resolve, 2));
    const handle = {
      async writev(pieces: Uint8Array[], start: number) {
        log.push([`begins ${pieces.length} at ${start}`, pieces.slice(0, 4).map(({ length }) => length)]);
        await soon();
        const bytesWritten = Math.min(
          mayWrite(log.length),
          pieces.reduce((all, { length }) => all + length, 0),
        );
        log.push(`wrote ${bytesWritten}`);
        return { bytesWritten };
      },
      async datasync() {
        log.push("sync begins");
        await soon();
        log.push("synced");
      },
    } as unknown as FileHandle;
    const told = async (name: string, body: (writer: PieceWriter) => Promise<void>) => {
      log = [];
      await calls.once(name, async () => {
        await body(new PieceWriter(handle));
        log.push("back");
        await new Promise((resolve) => setTimeout(resolve, 15));
        return log;
      });
    };
    const piece = (length: number) => new Uint8Array(length);
    await told("nothing", (writer) => writer.done());
    await told("two runs", async (writer) => {
      for (const [length, start] of [
        [3, 10],
        [2, 13],
        [0, 15],
        [5, 15],
        [1, 30],
        [4, 20],
      ]) {
        await writer.add(piece(length), start);
        log.push(`added ${length} at ${start}`);
      }
      await writer.flush();
      log.push("flushed");
      await writer.done();
    });
    await told("not all at once", async (writer) => {
      mayWrite = () => 3;
      await writer.add(piece(2), 0);
      await writer.add(piece(5), 2);
      await writer.add(piece(1), 7);
      await writer.done();
    });
    mayWrite = () => Number.POSITIVE_INFINITY;
    await told("512 pieces are a call", async (writer) => {
      for (let i = 0; i < 1025; i++) await writer.add(piece(1), i);
      await writer.done();
    });
    const large = piece(2 ** 26);
    await told("and 64 MiB, and then it is synced", async (writer) => {
      let at = 0;
      for (const part of [large.subarray(1), piece(1), large, piece(7), large.subarray(7), large]) {
        await writer.add(part, at);
        at += part.length;
      }
      await writer.done();
    });
    await told("and not again before as much has come", async (writer) => {
      for (const [i, part] of [large, piece(5), large.subarray(9), piece(3), piece(1)].entries())
        await writer.add(part, 2 ** 28 * i);
      await writer.done();
    });
    await told("one byte less is not", async (writer) => {
      await writer.add(large.subarray(1), 0);
      await writer.done();
    });
    await told("a failing write is told at the end", async (writer) => {
      mayWrite = () => {
        throw new Error("disk full");
      };
      await writer.add(piece(2), 0);
      await writer.done();
    });
    calls.note("log", log);
    await told("or when the next is flushed", async (writer) => {
      await writer.add(piece(2), 0);
      await writer.add(piece(2), 9);
      await soon();
      await soon();
      await writer.add(piece(2), 99);
      log.push("not reached");
    });
    calls.note("log", log);

    calls.title("writeNumbers");
    const path = join(tmp, "numbers.tmp-1-2");
    const places = (entries: Record<string, [number, number]>): Places =>
      new Map(Object.entries(entries).map(([name, [start, end]]) => [name, { start, end }]));
    const numbers: Record<string, Float32Array> = {
      a: Float32Array.of(1, -2.5, 3),
      b: Float32Array.of(Number.NaN),
      c: new Float32Array(),
      d: Float32Array.of(7, Number.POSITIVE_INFINITY),
    };
    const asked: unknown[] = [];
    const read = async (names: readonly string[]) => {
      asked.push(names);
      return numbers;
    };
    const writes = async (name: string, where: Places, encode?: (given: Float32Array) => Uint8Array) => {
      writeFileSync(path, Buffer.alloc(32, 9));
      await calls.once(name, () => writeNumbers(path, where, read, encode));
      calls.note("  the file", readFileSync(path).toString("hex"));
    };
    await writes("one after the other", places({ a: [4, 16], d: [16, 24] }));
    await writes(
      "in any order, with a NaN and none",
      places({ d: [24, 32], b: [0, 4], c: [4, 4], a: [8, 20] }),
    );
    await writes("none", places({}));
    await writes("beyond the end of the file", places({ a: [30, 42] }));
    await writes("encoded", places({ a: [1, 4] }), (given) => Uint8Array.from(given, (one) => one + 10));
    await writes("too little room", places({ a: [0, 11] }));
    await writes("too much room", places({ d: [0, 8], a: [8, 21] }));
    await writes("room for none", places({ c: [0, 1] }));
    calls.note("asked for", asked);
    await calls.once("read that fails", () =>
      writeNumbers(path, places({ a: [0, 12] }), () => Promise.reject(new LuvitError("engine", "gone"))),
    );
    await calls.once("no file", () => writeNumbers(join(tmp, "none"), places({ a: [0, 12] }), read));
    await calls.once("a folder", () => writeNumbers(tmp, places({ a: [0, 12] }), read));
    const lengths: number[] = [];
    writeFileSync(path, "");
    const many = new Float32Array(2 ** 22 + 3).map((_, i) => i % 251);
    await calls.once("in chunks", () =>
      writeNumbers(
        path,
        places({ x: [1, many.length + 1], y: [many.length + 1, 2 * many.length + 1] }),
        async () => ({ x: many, y: many }),
        (given) => {
          lengths.push(given.length);
          return Uint8Array.from(given);
        },
      ),
    );
    calls.note("lengths, and the file", [lengths, new Uint8Array(readFileSync(path))]);
    calls.approve("core/pieces");
  });

  it("what made a result is approved", async () => {
    const tmp = temporaryFolder("commits");
    const calls = new Calls({ tmp });
    const version = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")).version;
    calls.note("packageVersion", packageVersion() === version);
    calls.note("codeVersion", [/^([0-9a-f]{12}\+?|luvit \d.*)$/.test(codeVersion())]);
    await calls.of(commitOf, tmp);
    mkdirSync(join(tmp, ".git"));
    await calls.of(commitOf, tmp);
    const repository = join(tmp, "repository");
    mkdirSync(repository);
    const git = (...words: string[]) =>
      execFileSync("git", ["-C", repository, "-c", "user.name=a", "-c", "user.email=a@b", ...words], {
        encoding: "utf8",
        stdio: "pipe",
        env: {
          ...process.env,
          GIT_AUTHOR_DATE: "1000000000 +0000",
          GIT_COMMITTER_DATE: "1000000000 +0000",
          GIT_CONFIG_GLOBAL: "/dev/null",
        },
      });
    git("init", "-q");
    await calls.does("without a commit", () => commitOf(repository));
    writeFileSync(join(repository, "a"), "1");
    git("add", "a");
    git("commit", "-q", "-m", "one");
    const head = git("rev-parse", "HEAD");
    const told = () => commitOf(repository)?.replace(head.slice(0, 12), "the first 12 of HEAD");
    await calls.does("clean", told);
    writeFileSync(join(repository, "new"), "");
    await calls.does("with a file it does not know", told);
    writeFileSync(join(repository, "a"), "2");
    await calls.does("changed", told);
    mkdirSync(join(repository, "inside"));
    await calls.does("a folder inside", () => commitOf(join(repository, "inside")));
    calls.approve("core/commits");
  });
});
