import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type ListedFile, RepositoryCache } from "../../../../src/io/hub/cache";
import { assertRejects, temporaryFolder } from "../support";

const commit = "0123456789abcdef0123456789abcdef01234567";
const listed: ListedFile = { path: "sub/a.json", size: 4, etag: "a".repeat(40), isLarge: false };
const empty = () => new RepositoryCache(temporaryFolder(), "org/name");
const store = (cache: RepositoryCache, content = "four") =>
  cache.store(commit, listed, async (path) => writeFileSync(path, content));

test("a file is there when all of it is, and a link to its content when another commit brought that", async () => {
  const cache = empty();
  assert.equal(await cache.complete(commit, listed), undefined);
  const path = await store(cache);
  assert.equal(await cache.complete(commit, listed), path);
  assert.equal(readFileSync(path, "utf8"), "four");
  const later = "f".repeat(40);
  const again = (await cache.complete(later, listed))!;
  assert.ok(again.includes(later) && lstatSync(again).isSymbolicLink());
  assert.equal(readFileSync(again, "utf8"), "four");
});

test("content that was cut off counts as none, in a snapshot and among the blobs", async () => {
  const cache = empty();
  truncateSync(await store(cache), 3);
  assert.equal(await cache.complete(commit, listed), undefined);
  assert.equal(await cache.complete("f".repeat(40), listed), undefined);
});

test("content that fails half-way leaves nothing under its final name", async () => {
  const cache = empty();
  const failing = cache.store(commit, listed, async (path) => {
    writeFileSync(path, "fo");
    throw new Error("the connection failed");
  });
  await assert.rejects(failing, /the connection failed/);
  assert.ok(!existsSync(join(cache.folder, "blobs", listed.etag)));
  assert.equal(await cache.complete(commit, listed), undefined);
});

test("a revision leads to no place outside the cache's own folder", async () => {
  for (const revision of ["../../outside", "a/../b", ".", "..", "", "a//b", "a\\b", "a\0b"]) {
    await assertRejects(
      () => empty().commitOf(revision),
      "bad-argument",
      "expected a branch, a tag or a commit",
    );
    await assertRejects(() => empty().rememberCommit(revision, commit), "bad-argument", "revision");
  }
  const cache = empty();
  await cache.rememberCommit("refs/pr/1", commit);
  assert.equal(await cache.commitOf("refs/pr/1"), commit);
  await assertRejects(() => cache.rememberCommit("main", "../../commit"), "network", "as a commit");
});

test("a listing whose names, sizes or hashes cannot be is refused whole", async () => {
  const cache = empty();
  await cache.rememberListing(commit, [listed, { ...listed, etag: "b".repeat(64), isLarge: true }]);
  assert.equal((await cache.listing(commit))!.length, 2);
  const wrong: object[] = [
    { path: "../a" },
    { path: "a/../../b" },
    { path: "/a" },
    { path: "a\\b" },
    { path: "" },
    { size: -1 },
    { size: 0.5 },
    { etag: "../../../a" },
    { etag: "a".repeat(41) },
    { etag: `"${"a".repeat(38)}"` },
    { etag: "" },
  ];
  for (const one of wrong) {
    const files = [listed, { ...listed, ...one }];
    await assertRejects(() => cache.rememberListing(commit, files), "network", "impossible files");
  }
});

test("a repository lies where huggingface_hub has it, its links are relative, and nothing unfinished stays", async () => {
  const place = temporaryFolder();
  const cache = new RepositoryCache(place, "org/na-me");
  assert.equal(cache.folder, join(place, "models--org--na-me"));
  const path = await store(cache);
  assert.equal(path, join(cache.folder, "snapshots", commit, "sub", "a.json"));
  assert.equal(readlinkSync(path), join("..", "..", "..", "blobs", listed.etag));
  await assert.rejects(
    cache.store(commit, { ...listed, etag: "b".repeat(40) }, async (aside) => {
      writeFileSync(aside, "x");
      throw new Error("no");
    }),
  );
  assert.deepEqual(readdirSync(join(cache.folder, "blobs")), [listed.etag]);
  assert.deepEqual(readdirSync(join(cache.snapshot(commit), "sub")), ["a.json"]);
  assert.deepEqual(await cache.completeNames(commit), ["sub"]);
  assert.deepEqual(await cache.completeNames("f".repeat(40)), []);
  assert.equal(cache.stretches(listed), join(cache.folder, "luvit", listed.etag));
});

test("what another program wrote as a revision's commit is taken with its line's end, and nothing that is no commit", async () => {
  const cache = empty();
  const refs = join(cache.folder, "refs");
  mkdirSync(refs, { recursive: true });
  for (const [text, expected] of [
    [commit, commit],
    [`${commit}\n`, commit],
    [`${commit}0`, undefined],
    [commit.toUpperCase(), undefined],
    ["main", undefined],
    ["", undefined],
  ]) {
    writeFileSync(join(refs, "main"), text!);
    assert.equal(await cache.commitOf("main"), expected, JSON.stringify(text));
  }
  assert.equal(await cache.commitOf("none"), undefined);
  assert.equal(await cache.commitOf(commit), commit, "a commit is its own");
  await cache.rememberCommit(commit, commit);
  assert.deepEqual(readdirSync(refs), ["main"], "and needs no note");
});

test("a list that is damaged, or names what cannot be, is as if it were not there", async () => {
  const cache = empty();
  assert.equal(await cache.listing(commit), undefined);
  await cache.rememberListing(commit, [listed]);
  assert.deepEqual(await cache.listing(commit), [listed]);
  assert.equal(await cache.listing("f".repeat(40)), undefined);
  const path = join(cache.folder, "luvit", `${commit}.json`);
  for (const text of [
    "",
    "[",
    "{",
    "{}",
    "null",
    "7",
    '"text"',
    "[null]",
    JSON.stringify([{ ...listed, path: "../../x" }]),
  ]) {
    writeFileSync(path, text);
    assert.equal(await cache.listing(commit), undefined, text);
  }
});
