import assert from "node:assert/strict";
import { test } from "node:test";
import { expectFolderNames, isFolderName } from "../../../src/core/folderNames";
import { isLuvitError } from "../nn/support";

const good = ["shapes", "ImageNet-S-50", "my set", "größe", "日本", "a.b", "__proto__", "x".repeat(255)];
const bad = [
  ...["", ".", "..", "../x", "a/b", "/etc", "a\\b", "C:x", " a", "a ", "a.", ".hidden"],
  ...[
    "a\n",
    "\u0000",
    "\u001b[31m",
    "\u202ea",
    "é".repeat(128),
    "x".repeat(256),
    "a*",
    "a|b",
    'a"',
    "<a>",
    "a?",
  ],
];

test("a name is a folder's where it says no more than the name of one", () => {
  for (const name of good) assert.ok(isFolderName(name), name);
  for (const name of bad) assert.ok(!isFolderName(name), JSON.stringify(name));
});

test("all that cannot be are named, and those that are one folder where upper and lower case are the same", () => {
  expectFolderNames("here", good);
  expectFolderNames("here", []);
  assert.throws(
    () => expectFolderNames("here", ["fine", "../x", "\u001b[31m"]),
    (error: Error) => {
      assert.ok(!error.message.includes("fine") && !error.message.includes("\u001b"));
      return isLuvitError("bad-argument", "here", '"../x"', '"\\x1b[31m"')(error);
    },
  );
  assert.throws(
    () => expectFolderNames("here", ["shapes", "Shapes"]),
    isLuvitError("bad-argument", '"Shapes"'),
  );
});
