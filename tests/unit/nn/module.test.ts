import assert from "node:assert/strict";
import { before, test } from "node:test";
import { inspect } from "node:util";
import type { StateDict } from "../../../src/core/hostTensor";
import { Rng } from "../../../src/core/rng";
import { startBackend, tf } from "../../../src/core/tf";
import { LayerNorm, Linear, Module, Parameter, trainableVariables, zeros } from "../../../src/nn";
import { assertNoLeak, assertSameState, isLuvitError, randomArray } from "./support";

before(() => startBackend());

class Leaf extends Module {
  readonly norm = new LayerNorm(3);
  readonly width = 3;
}

class Inner extends Module {
  readonly proj: Linear;
  constructor(rng: Rng) {
    super();
    this.proj = new Linear(2, 3, rng);
  }
}

/** A branch, a list, a leaf, a field that does not show in paths, and configuration. */
class Tree extends Module {
  readonly token = new Parameter([1, 2], zeros, 0);
  readonly inner: Inner;
  readonly list: Module[];
  readonly config = { note: "not a parameter" };
  constructor(seed = 1) {
    super();
    const rng = new Rng(seed);
    this.inner = new Inner(rng);
    this.list = [new Leaf(), new Linear(3, 1, rng, { bias: false })];
  }
  protected override transparentFields(): readonly string[] {
    return ["inner"];
  }
}

const paths = [
  "token",
  "proj.weight",
  "proj.bias",
  "list.0.norm.weight",
  "list.0.norm.bias",
  "list.1.weight",
];

function randomState(model: Module): StateDict {
  return new Map(
    [...model.namedParameters()].map(([path, { shape, size }], i) => [
      path,
      { shape, data: randomArray(size, 50 + i) },
    ]),
  );
}

test("paths follow the fields, and transparent fields leave no trace in them", () => {
  const tree = new Tree();
  assert.deepEqual([...tree.namedParameters()].map(([path]) => path).sort(), [...paths].sort());
  assert.deepEqual(tree.counts(), { total: 2 + 9 + 6 + 3, trainable: 20 });
  assert.equal(inspect(tree), "Tree(20 parameters, 20 trainable)");
});

test("a module is replaced at its path, below transparent fields and in lists too", () => {
  const tree = new Tree();
  for (const path of ["proj", "list.1"]) {
    const replacement = new Linear(5, 7, new Rng(2));
    tree.replaceModule(path, replacement);
    assert.equal(new Map(tree.namedModules()).get(path), replacement);
  }
  assert.throws(() => tree.replaceModule("list.2", new Linear(1, 1, new Rng(0))), /no module at "list.2"/);
});

test("freezing takes parameters from counts, variables and trainable states, and unfreezing gives them back", async () => {
  const tree = new Tree().freeze("list.");
  assert.deepEqual(tree.counts(), { total: 20, trainable: 11 });
  assert.deepEqual([...trainableVariables(tree).keys()].sort(), ["proj.bias", "proj.weight", "token"]);
  assert.deepEqual([...(await tree.stateDict({ trainableOnly: true })).keys()].sort(), [
    "proj.bias",
    "proj.weight",
    "token",
  ]);
  assert.equal(tree.unfreeze("list.").counts().trainable, 20);
});

test("a state goes in and comes out unchanged, before and after memory was taken", async () => {
  const tree = new Tree();
  for (const state of [randomState(tree), randomState(new Tree())]) {
    const report = tree.loadStateDict(state, { source: "a file" });
    assert.equal(`${report}`, "loaded 6 tensors from a file");
    assertSameState(await tree.stateDict(), state);
    trainableVariables(tree);
    assertSameState(await tree.stateDict(), state);
  }
  assert.equal(tree.token.source, "a file");
  assert.deepEqual([...(await tree.stateDict({ prefix: "list." })).keys()].sort(), paths.slice(3).sort());
});

test("one error names every missing, unexpected and misshapen key, and nothing has been loaded", async () => {
  const tree = new Tree();
  const before = await tree.stateDict();
  const state = randomState(tree);
  state.delete("token");
  state.delete("proj.bias");
  state.set("surplus", { shape: [1], data: new Float32Array(1) });
  state.set("list.1.weight", { shape: [3, 1], data: new Float32Array(3) });
  const everything = [
    "missing: token",
    "missing: proj.bias",
    "unexpected: surplus",
    "list.1.weight",
    "[3, 1]",
    "[1, 3]",
  ];
  assert.throws(
    () => tree.loadStateDict(state, { source: "x.pth" }),
    isLuvitError("key-mismatch", "x.pth", "4 keys", ...everything),
  );
  assertSameState(await tree.stateDict(), before);

  const misshapen = randomState(tree).set("token", { shape: [2, 1], data: new Float32Array(2) });
  assert.throws(
    () => tree.loadStateDict(misshapen),
    isLuvitError("shape-mismatch", "token", "[2, 1]", "[1, 2]"),
  );
  assertSameState(await tree.stateDict(), before);
});

test("keys may be allowed to be missing or unexpected by prefix, and the report counts them", () => {
  const tree = new Tree();
  const state = randomState(tree);
  state.delete("list.1.weight");
  state.set("extra.a", { shape: [1], data: new Float32Array(1) });
  const report = tree.loadStateDict(state, { allowMissing: ["list."], allowUnexpected: ["extra."] });
  assert.deepEqual([report.missing, report.unexpected], [["list.1.weight"], ["extra.a"]]);
  assert.equal(
    `${report}`,
    "loaded 5 tensors from the state dict (1 kept as they were, 1 in the file not used)",
  );
  assert.throws(
    () => tree.loadStateDict(state, { allowMissing: ["list."] }),
    isLuvitError("key-mismatch", "extra.a"),
  );
});

test("a tensor whose numbers cannot be read is refused by name where the model wants it, else left alone", async () => {
  const tree = new Tree();
  const before = await tree.stateDict();
  const broken = { shape: [1, 2], data: new Float32Array(2), problem: "complex64 cannot be read" };
  assert.throws(
    () => tree.loadStateDict(randomState(tree).set("token", broken)),
    isLuvitError("key-mismatch", "1 keys", "token: complex64 cannot be read"),
  );
  assertSameState(await tree.stateDict(), before);
  const { loaded } = tree.loadStateDict(randomState(tree).set("extra", broken), {
    allowUnexpected: ["extra"],
  });
  assert.equal(loaded.length, 6);
});

test("only a prefix of a state is loaded when asked for", async () => {
  const tree = new Tree();
  const before = await tree.stateDict();
  const state = randomState(tree);
  const report = tree.loadStateDict(state, { only: "list.0." });
  assert.deepEqual([...report.loaded].sort(), ["list.0.norm.bias", "list.0.norm.weight"]);
  const after = await tree.stateDict();
  for (const path of paths) {
    assert.deepEqual(
      after.get(path)!.data,
      (path.startsWith("list.0.") ? state : before).get(path)!.data,
      path,
    );
  }
});

test("a clone has its own trainable parameters and shares the frozen ones", async () => {
  const tree = new Tree().freeze("list.");
  tree.loadStateDict(randomState(tree));
  const state = await tree.stateDict();
  const copy = await tree.clone();
  assert.ok(copy instanceof Tree);
  assertSameState(await copy.stateDict(), state);
  assert.deepEqual(copy.counts(), tree.counts());

  const [own, original] = [new Map(copy.namedParameters()), new Map(tree.namedParameters())];
  for (const path of paths) {
    assert.equal(own.get(path) === original.get(path), path.startsWith("list."), path);
  }
  own.get("token")!.value.assign(tf.tensor([[8, 9]]));
  assertSameState(await tree.stateDict(), state);
});

test("what is frozen is frozen in a clone too, also where nothing is shared", async () => {
  const tree = new Tree().freeze("list.");
  const copy = await tree.clone(() => false);
  const frozen = (model: Tree) =>
    [...model.namedParameters()].map(([path, { trainable }]) => [path, trainable]);
  assert.deepEqual(frozen(copy), frozen(tree));
  assert.ok(
    frozen(copy).some(([, trainable]) => trainable) && frozen(copy).some(([, trainable]) => !trainable),
  );
  assertSameState(await copy.stateDict(), await tree.stateDict());
  const [own, original] = [new Map(copy.namedParameters()), new Map(tree.namedParameters())];
  for (const path of paths) assert.notEqual(own.get(path), original.get(path), path);
});

test("a clone of a model that has taken no memory starts with the same numbers", async () => {
  const tree = new Tree(5);
  assertSameState(await (await tree.clone()).stateDict(), await tree.stateDict());
});

for (const first of ["the original", "the clone"]) {
  test(`the other is usable after ${first} was disposed, and the last one frees the shared storage`, async () => {
    const empty = tf.memory().numTensors;
    const tree = new Tree().freeze("list.");
    for (const [, parameter] of tree.namedParameters()) parameter.value;
    const copy = await tree.clone();
    for (const [, parameter] of copy.namedParameters()) parameter.value;
    const [gone, kept] = first === "the original" ? [tree, copy] : [copy, tree];
    const state = await kept.stateDict();
    gone.dispose();
    assertSameState(await kept.stateDict(), state);
    for (const [, parameter] of kept.namedParameters()) assert.equal(parameter.value.isDisposed, false);
    kept.dispose();
    assert.equal(tf.memory().numTensors, empty);
  });
}

test("a disposed parameter says so instead of starting again from its seed", async () => {
  const parameter = new Parameter([2, 3], zeros, 0);
  parameter.load({ shape: [2, 3], data: randomArray(6) });
  parameter.dispose();
  assert.throws(() => parameter.value, isLuvitError("bad-argument", "[2, 3]", "disposed"));
  await assert.rejects(() => parameter.read(), isLuvitError("bad-argument", "disposed"));
  parameter.load({ shape: [2, 3], data: randomArray(6) });
  assert.deepEqual((await parameter.read()).data, randomArray(6));
  parameter.dispose();
});

test("a detached parameter changes alone", async () => {
  const parameter = new Parameter([2], zeros, 0);
  assert.equal(parameter.detach(), parameter);
  parameter.share();
  const own = parameter.detach();
  own.value.assign(tf.tensor([1, 2]));
  assert.deepEqual([...(await parameter.read()).data], [0, 0]);
  parameter.dispose();
  assert.deepEqual([...(await own.read()).data], [1, 2]);
  own.dispose();
});

test("memory is taken on first use only, once, and given back", () => {
  assertNoLeak(() => {
    const tree = new Tree();
    assert.equal(tree.counts().total, 20);
    assertNoLeak(() => tree.summary());
    assertNoLeak(() => tf.tidy(() => void trainableVariables(tree)), 6);
    assertNoLeak(() => trainableVariables(tree));
    tree.dispose();
  });
});

test("a summary has a line per parameter", () => {
  const rows = new Tree().freeze("list.1").summary();
  assert.deepEqual(
    rows.find(({ path }) => path === "list.1.weight"),
    {
      path: "list.1.weight",
      shape: "[1, 3]",
      parameters: 3,
      trainable: false,
    },
  );
  assert.equal(rows.length, 6);
});

test("a parameter that gets values of its own stays frozen or trained, and says where they came from", async () => {
  for (const trainable of [false, true]) {
    const parameter = new Parameter([2], zeros, 0);
    parameter.trainable = trainable;
    parameter.load({ shape: [2], data: Float32Array.of(3, 4) }, "a file");
    for (const own of [await parameter.clone(), parameter.share().detach()]) {
      assert.notEqual(own, parameter);
      assert.deepEqual([own.trainable, own.source], [trainable, "a file"]);
      assert.deepEqual([...(await own.read()).data], [3, 4]);
    }
  }
});
