import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

/* docs/architecture.md is true of the tree. */

function repository(folder: string): string {
  return existsSync(join(folder, "biome.json")) ? folder : repository(dirname(folder));
}

const root = repository(__dirname);
const page = readFileSync(join(root, "docs", "architecture.md"), "utf8");

function section(title: string): string {
  const found = page.split(/^## /m).find((part) => part.startsWith(`${title}\n`));
  assert.ok(found, `docs/architecture.md has no section "${title}"`);
  return found;
}

test("the architecture page names every folder of src, and no other", () => {
  const folders = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(join(root, "src").length + 1))
    .map((name) => name.replaceAll("\\", "/"));
  const named = [...section("Rooms").matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name!);
  assert.deepEqual([...named].sort(), folders.sort());
});

test("floors stand on the architecture page as the borders are tested", () => {
  const floors = section("Floors").match(/```\n([\s\S]*?)```/)![1]!;
  const tested = readFileSync(join(root, "tests", "layers.test.ts"), "utf8").match(
    /const rows = \[([\s\S]*?)\n\];/,
  )![1]!;
  const rowsOf = (text: string) =>
    text
      .trim()
      .split("\n")
      .map((row) => row.match(/[a-zA-Z]+/g)!);
  assert.deepEqual(rowsOf(floors), rowsOf(tested));
});

for (const name of [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(root, "docs")).map((n) => `docs/${n}`),
]) {
  test(`what ${name} links to is there`, () => {
    const text = readFileSync(join(root, name), "utf8");
    const targets = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, target]) => target!);
    const gone = targets
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => !existsSync(join(root, dirname(name), target)));
    assert.deepEqual(gone, []);
  });
}

test("namespaces' members that README and docs name are public names", () => {
  const names = readFileSync(join(root, "tests", "api.txt"), "utf8")
    .split("\n")
    .map((line) => line.split(" ")[0]!);
  const isPublic = new Set(names);
  const namespaces = new Set(names.filter((name) => name.includes(".")).map((name) => name.split(".")[0]!));
  const pages = ["README.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)];
  const found = pages.flatMap((name) => {
    const text = readFileSync(join(root, name), "utf8");
    const code = [...text.matchAll(/```[\s\S]*?```|`[^`\n]+`/g)].map(([block]) => block).join("\n");
    return [...code.matchAll(/(?<![\w."])(?:luvit\.)?([a-z]\w+)\.([a-zA-Z]\w*)(?![\w/])/g)]
      .filter(
        ([, space, member]) => namespaces.has(space!) && !/^(json|ts|safetensors|layers)$/.test(member!),
      )
      .map(([, space, member]) => ({ page: name, name: `${space}.${member}` }));
  });
  assert.ok(found.length > 50, `only ${found.length} names were found`);
  const unknown = found.filter(({ name }) => !isPublic.has(name) && !isPublic.has(`${name}.*`));
  assert.deepEqual(unknown, []);
});
