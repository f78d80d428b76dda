import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { repository } from "../nn/support";

const dist = join(repository, "dist");

/** Every declaration file that the compiler reads for `import "luvit"`, with the packages that it names. */
function reached(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const waiting = [join(dist, "index.d.ts")];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (found.has(file)) continue;
    const names = [...readFileSync(file, "utf8").matchAll(/(?:from|import\()\s*"([^"]+)"/g)].map(
      ([, name]) => name,
    );
    const packages = names.filter((name) => !name.startsWith("."));
    found.set(file, packages);
    for (const name of names.filter((other) => other.startsWith("."))) {
      const place = join(dirname(file), name);
      waiting.push(existsSync(`${place}.d.ts`) ? `${place}.d.ts` : join(place, "index.d.ts"));
    }
  }
  return found;
}

test("no cell is compiled with zod's types: no declaration behind the library's own names them", () => {
  const files = reached();
  assert.ok(files.size > 200, `only ${files.size} declarations were followed`);
  const naming = [...files].filter(([, packages]) => packages.some((name) => /^zod(\/|$)/.test(name)));
  assert.deepEqual(
    naming.map(([file]) => relative(dist, file)),
    [],
  );
});
