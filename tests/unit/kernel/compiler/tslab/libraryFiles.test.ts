import assert from "node:assert/strict";
import { test } from "node:test";
import type * as ts from "typescript";
import { packageRoot } from "../../../../../src/core/packageRoot";
import { LibraryFiles } from "../../../../../src/kernel/compiler/tslab/libraryFiles";

const text =
  "/** Says hello. */\nexport function hello(): void;\n  /** @deprecated use hello */\n  export const bye = 1;\n";
const bare = "\nexport function hello(): void;\n/** @deprecated */\n  export const bye = 1;\n";
const library = "/x/node_modules/p/index.d.ts";

function wrapped() {
  const watched: string[] = [];
  const files = new LibraryFiles();
  const system = {
    readFile: (path: string) => (path.includes("none") ? undefined : text),
    watchFile: (path: string) => {
      watched.push(path);
      return { close: () => {} };
    },
  } as unknown as ts.System;
  const { readFile, watchFile } = files.wrap(system);
  return { files, watched, read: readFile!, watch: watchFile! };
}

test("declarations of packages are read without their comments until these are wanted, other files with them", () => {
  const { files, read } = wrapped();
  assert.equal(read(library), bare);
  for (const own of ["/x/helper.ts", "/x/helper.d.ts", "/x/node_modules/p/index.js"])
    assert.equal(read(own), text);
  assert.equal(read("/x/node_modules/none.d.ts"), undefined);
  files.document();
  assert.equal(read(library), text);
});

test("they are not watched, but read again once comments are wanted, and only that once", () => {
  const { files, watched, watch } = wrapped();
  const changed: string[] = [];
  const note = (path: string) => void changed.push(path);
  watch(library, note);
  const other = watch("/x/node_modules/q/index.d.ts", note);
  watch("/x/helper.ts", note);
  other.close();
  assert.deepEqual(watched, ["/x/helper.ts"]);
  files.document();
  files.document();
  assert.deepEqual(changed, [library]);
});

test("a system's own ways get all that they are given, and a change is told as one", () => {
  const given: unknown[][] = [];
  const files = new LibraryFiles();
  const note = (...values: unknown[]) => void given.push(values);
  const { readFile, watchFile } = files.wrap({ readFile: note, watchFile: note } as unknown as ts.System);
  readFile!("/x/a.ts", "latin1");
  watchFile!("/x/a.ts", note, 250, { watchFile: 1 });
  watchFile!(library, note);
  files.document();
  assert.deepEqual(given, [
    ["/x/a.ts", "latin1"],
    ["/x/a.ts", note, 250, { watchFile: 1 }],
    [library, 1], // `FileWatcherEventKind.Changed`
  ]);
});

test("the library's own declarations are a package's, its sources are not", () => {
  const { read } = wrapped();
  const root = packageRoot();
  assert.equal(read(`${root}/dist/index.d.ts`), bare);
  assert.equal(read(`${root}/src/index.d.ts`), text);
});
