import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { packageRoot } from "../../../src/core/packageRoot";

/* Dockerfiles, devcontainer and Binder are read here, not built: CI has no builder and no hadolint. */

const root = packageRoot();
const read = (name: string) => readFileSync(join(root, name), "utf8");
const dockerfiles = ["Dockerfile", ".devcontainer/Dockerfile"];
const oldest = Number(/>=(\d+)/.exec(JSON.parse(read("package.json")).engines.node)![1]);

interface Instruction {
  name: string;
  rest: string;
}

/** Instructions with their continued lines put together. */
function instructions(file: string): Instruction[] {
  const text = read(file)
    .replace(/^#.*\n/gm, "")
    .replace(/\\\n/g, " ");
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [, name, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
      assert.ok(name && rest, `${file}: no instruction in ${JSON.stringify(line)}`);
      return { name, rest };
    });
}

const ignored = read(".dockerignore").trim().split("\n");

for (const file of dockerfiles) {
  test(`${file}: instructions are Docker's, the last user is not root, every Node is one that engines admits`, () => {
    const all = instructions(file);
    const known = "FROM ARG ENV WORKDIR COPY RUN USER EXPOSE CMD".split(" ");
    assert.deepEqual(
      all.filter(({ name }) => !known.includes(name)),
      [],
    );
    assert.equal(all[0]!.name, "FROM");
    const users = all.filter(({ name }) => name === "USER");
    assert.ok(users.length > 0 && users.at(-1)!.rest !== "root");
    for (const { rest } of all.filter(({ name }) => name === "FROM"))
      assert.ok(Number(/^node:(\d+)-/.exec(rest)?.[1]) >= oldest, rest);
    for (const { rest } of all.filter(({ name }) => name === "CMD"))
      assert.ok((JSON.parse(rest) as unknown[]).every((word) => typeof word === "string"));
  });

  test(`${file}: what is copied is in the repository and not ignored, what is run is there and can be run`, () => {
    const stages = instructions(file).flatMap(({ name, rest }) =>
      name === "FROM" ? (/ AS (\w+)$/.exec(rest)?.slice(1) ?? []) : [],
    );
    for (const { name, rest } of instructions(file)) {
      const from = /--from=(\S+)/.exec(rest)?.[1];
      if (from !== undefined) assert.ok(stages.includes(from), rest);
      const words = rest.split(/\s+/).filter((word) => !word.startsWith("--"));
      for (const source of name === "COPY" && from === undefined ? words.slice(0, -1) : []) {
        assert.ok(existsSync(join(root, source)), `${file} copies ${source}`);
        assert.ok(!ignored.includes(source), `${source} is in .dockerignore`);
      }
      if (name === "RUN") for (const script of rest.match(/\bscripts\/\S+/g) ?? []) expectScript(script);
    }
  });
}

test("the image has every folder that its notebooks link to or read", () => {
  const copied = instructions("Dockerfile").flatMap(({ name, rest }) =>
    name === "COPY" ? (/ (\S+) \/home\/node\/luvit\//.exec(rest)?.slice(1) ?? []) : [],
  );
  const names = readdirSync(join(root, "notebooks"), { recursive: true }).map(String);
  for (const name of names.filter((one) => /^[^.]*\.ipynb$/.test(one))) {
    const text = readFileSync(join(root, "notebooks", name), "utf8");
    const above = [...text.matchAll(/(?:\]\(|\\"|`)((?:\.\.\/)+[\w./-]+)/g)].map(([, path]) =>
      relative(root, join(root, "notebooks", dirname(name), path!)),
    );
    for (const path of above) assert.ok(copied.includes(path.split(sep)[0]!), `${name}: ${path}`);
  }
});

test("what Docker's builder is not given are things that are made, not things it needs", () => {
  assert.ok(ignored.includes("node_modules") && ignored.includes("dist"));
  const files = (JSON.parse(read("package.json")).files as string[]).map((path) => path.split("/")[0]!);
  const needed = [...files.filter((path) => path !== "dist"), "src", "scripts", "tests", "package-lock.json"];
  assert.deepEqual(
    needed.filter((path) => ignored.includes(path)),
    [],
  );
});

test("the devcontainer's files are there, and its command runs", () => {
  const container = JSON.parse(read(".devcontainer/devcontainer.json"));
  assert.ok(existsSync(join(root, ".devcontainer", container.build.dockerfile)));
  assert.equal(container.build.context, "..");
  expectScript(container.postCreateCommand.split(" ")[0]);
  assert.notEqual(container.remoteUser, "root");
});

test("Binder has Node as engines admits it, Jupyter in the version of the images, and a postBuild that runs", () => {
  const { dependencies } = parse(read("binder/environment.yml")) as {
    dependencies: (string | { pip: string[] })[];
  };
  const node = dependencies.find((one) => typeof one === "string" && one.startsWith("nodejs="));
  assert.ok(Number(/nodejs=(\d+)/.exec(String(node))?.[1]) >= oldest);
  const jupyter = read("scripts/jupyter.txt").trim().split("\n");
  assert.deepEqual(dependencies.at(-1), { pip: jupyter });
  for (const line of jupyter) assert.match(line, /^[a-z-]+==\d+\.\d+\.\d+$/);
  expectScript("binder/postBuild");
  for (const [script] of read("binder/postBuild").matchAll(/^scripts\/\S+/gm)) expectScript(script);
});

test("the steps of an installation take the places that the kernel command has", () => {
  const steps = read("scripts/install-steps.sh");
  assert.match(steps, /npm ci/);
  const places = ["Dockerfile", "binder/postBuild", ".devcontainer/devcontainer.json"].map(read).join("\n");
  const given = [...places.matchAll(/install-steps\.sh((?: --[a-z-]+)+)/g)].flatMap(([, words]) =>
    words!.trim().split(" "),
  );
  assert.ok(given.length >= 3);
  const help = spawnSync(process.execPath, [join(root, "dist", "cli.js"), "kernel", "--help"], {
    encoding: "utf8",
  });
  for (const flag of given) assert.ok(help.stdout.includes(flag), flag);
});

/** A shell script that is there, may be executed and can be read by the shell. */
function expectScript(name: string): void {
  const file = join(root, name);
  assert.ok(existsSync(file), name);
  assert.ok(statSync(file).mode & 0o100, `${name} cannot be executed`);
  const { status, stderr } = spawnSync("bash", ["-n", file], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
}
