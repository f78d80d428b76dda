import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { checkOptions } from "../../../../src/kernel/compiler/live/options";
import { providePackages } from "../../../../src/kernel/compiler/packages";
import { loadTypeScript, ownTypesFolder } from "../../../../src/kernel/compiler/typescript";

const temporary = () => realpathSync(mkdtempSync(join(tmpdir(), "luvit-places-")));
const install = (folder: string, name: string) => {
  mkdirSync(join(folder, "node_modules", name), { recursive: true });
  writeFileSync(join(folder, "node_modules", name, "package.json"), "{}");
};

test("a compiler looks for packages that a folder lacks where they really are, with each of its questions", () => {
  const folder = temporary();
  install(folder, "there");
  const asked: string[] = [];
  const ask = (path: string) => {
    asked.push(path);
    return path;
  };
  const questions = ["fileExists", "readFile", "directoryExists", "getDirectories", "realpath"] as const;
  const system = Object.fromEntries(questions.map((name) => [name, ask]));
  const packages = { lacking: "/real/lacking", there: "/real/there" };
  const provided = providePackages(system as never, folder, packages) as Record<
    string,
    (path: string) => unknown
  >;
  assert.deepEqual(Object.keys(provided).sort(), [...questions].sort());
  const modules = join(folder, "node_modules");
  for (const question of questions) {
    for (const [path, real] of [
      [join(modules, "lacking"), "/real/lacking"],
      [join(modules, "lacking", "a", "b.d.ts"), "/real/lacking/a/b.d.ts"],
      [join(modules, "lacking-more", "b.d.ts"), join(modules, "lacking-more", "b.d.ts")],
      [join(modules, "there", "b.d.ts"), join(modules, "there", "b.d.ts")],
    ] as const) {
      asked.length = 0;
      provided[question]!(path);
      assert.deepEqual(asked, [real], question);
    }
  }
  assert.equal(provided.directoryExists!(modules), true);
  const { realpath: _, ...poor } = system;
  assert.ok(!("realpath" in providePackages(poor as never, folder, packages)));
  assert.deepEqual(providePackages(system as never, folder, { there: "/real/there" }), {});
});

test("cells see Node's types, and those that the nearest manifest names and that are there", () => {
  const compiler = loadTypeScript();
  const typesAt = (folder: string) => {
    const { types, typeRoots } = checkOptions(compiler, folder);
    return { types, typeRoots };
  };
  const folder = temporary();
  const own = ownTypesFolder();
  assert.deepEqual(typesAt(folder), { types: ["node"], typeRoots: own === undefined ? [] : [own] });
  for (const name of ["dom", "named", "unnamed"]) install(folder, join("@types", name));
  const names = { "@types/dom": "1", "@types/absent": "1", other: "1" };
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ dependencies: names, devDependencies: { "@types/named": "1" } }),
  );
  const inner = join(folder, "inner", "most");
  mkdirSync(inner, { recursive: true });
  for (const place of [folder, dirname(inner), inner]) {
    assert.deepEqual(typesAt(place).types, ["node", "dom", "named"]);
    assert.deepEqual(typesAt(place).typeRoots?.[0], join(folder, "node_modules", "@types"));
  }
  install(folder, join("@types", "node"));
  assert.deepEqual(typesAt(inner).typeRoots, [join(folder, "node_modules", "@types")]);
});
