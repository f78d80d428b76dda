import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { commands, main } from "../../../src/commandLine/main";
import { packageVersion } from "../../../src/core/packageRoot";
import { temporaryFolder } from "../io/support";

async function luvit(...words: string[]) {
  const [printed, complained]: string[][] = [[], []];
  const status = await main(words, {
    print: (line) => void printed.push(line),
    complain: (line) => void complained.push(line),
  });
  return { status, printed: printed.join("\n"), complained: complained.join("\n") };
}

test("help is printed by every word for it and by none, the version by both, and that is no failure", async () => {
  const { status, printed, complained } = await luvit();
  assert.deepEqual([status, complained], [0, ""]);
  assert.match(printed, /^luvit: LUViT in TypeScript notebooks\n/);
  for (const { help } of commands) assert.ok(printed.includes(help));
  for (const word of ["help", "--help", "-h"])
    assert.deepEqual(await luvit(word), { status, printed, complained }, word);
  for (const word of ["--version", "-v"])
    assert.deepEqual(await luvit(word), { status: 0, printed: packageVersion(), complained: "" }, word);
  for (const { name, help } of commands)
    for (const word of ["--help", "-h"])
      assert.deepEqual(await luvit(name, word), { status: 0, printed: help.trimEnd(), complained: "" });
});

test("a word that is no command ends with 2, whatever it is called", async () => {
  for (const word of ["helpme", "-H", "--versions", "version", "v", "h", "", "run.ipynb"]) {
    const { status, printed, complained } = await luvit(word);
    assert.deepEqual([status, printed], [2, ""], word);
    assert.match(complained, /\nluvit --help lists what there is\.$/);
  }
});

test("of several workers the first alone prints, and each says by its number what goes wrong", async (t) => {
  const [rank, size] = ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"];
  t.after(() => {
    delete process.env[rank];
    delete process.env[size];
  });
  const none = join(temporaryFolder(), "none.json");
  const words = ["pretrain", "--config", none];
  const alone = await luvit(...words);
  assert.match(alone.complained, /^luvit: [^ ]*none\.json: no such file/);
  for (const [own, all, name] of [
    ["0", "2", "luvit: worker 1 of 2: "],
    ["1", "2", "luvit: worker 2 of 2: "],
    ["2", "3", "luvit: worker 3 of 3: "],
    ["0", "1", "luvit: "],
  ]) {
    Object.assign(process.env, { [rank]: own, [size]: all });
    const { status, printed, complained } = await luvit(...words);
    assert.deepEqual([status, printed, complained], [1, "", alone.complained.replace("luvit: ", name)]);
    const { printed: version } = await luvit("--version");
    assert.equal(version, own === "0" ? packageVersion() : "", `worker ${own} of ${all}`);
  }
});

test("a worker leaves the job when its command has ended, with whatever status; who failed, and who is alone, does not", async (t) => {
  const [rank, size] = ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"];
  const engine = require.resolve("../../../src/engine");
  const loaded = require.cache[engine];
  t.after(() => {
    delete process.env[rank];
    delete process.env[size];
    if (loaded) require.cache[engine] = loaded;
    else delete require.cache[engine];
  });
  const steps: string[] = [];
  const exports = { __esModule: true, leaveWorkers: async () => void steps.push("left") };
  require.cache[engine] = { id: engine, filename: engine, loaded: true, exports } as NodeJS.Module;
  const [chosen] = commands;
  const ends = async (all: string, run: () => Promise<number>) => {
    Object.assign(process.env, { [rank]: "0", [size]: all });
    steps.length = 0;
    t.mock.method(chosen, "run", async () => {
      steps.push("ran");
      return run();
    });
    const { status } = await luvit(chosen.name);
    return [status, ...steps];
  };
  for (const status of [0, 1, 130, 143])
    assert.deepEqual(await ends("2", async () => status), [status, "ran", "left"]);
  const failing = () => Promise.reject(new Error("no"));
  assert.deepEqual(await ends("2", failing), [1, "ran"]);
  assert.deepEqual(await ends("1", async () => 130), [130, "ran"]);
});
