import assert from "node:assert/strict";
import { existsSync, lstatSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
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
