import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { ready } from "../../../src";
import { toy } from "../../../src/data";
import { classifier } from "../../../src/models";
import { encoder } from "../../../studies/ablations/rows";
import { regionEntropies, sharesOf } from "../../../studies/core/regions";
import { runStudy } from "../../../studies/core/run";
import { settings, signStudy } from "../../../studies/sign";
import { sharesByKind } from "../../../studies/sign/measures";
import { temporaryFolder } from "../data/support";

const size = { seeds: 2, epochs: 4 };

test("the study of the sign follows four trained rows and trains both models under every setting, from every seed", () => {
  const names = signStudy.trials(size).map(({ name }) => name);
  assert.equal(new Set(names).size, 2 * 4 + 2 * 2 * Object.keys(settings).length);
  assert.ok(names.includes("24-000-images-luvit-1"));
});

test("every setting passes over its images whole, in as many steps as the ablations or so many times more", () => {
  for (const [name, { train, longer }] of Object.entries(settings)) {
    const passes = (size.epochs * longer * 6000) / train;
    assert.ok(Number.isInteger(passes) && passes >= 1, name);
    assert.equal((passes * train) / 60, longer * 400, name);
  }
});

test("without the ablations' models the study says what has to be run before", async () => {
  const out = join(temporaryFolder(), "sign");
  const options = { size, out, commit: "c", machine: "m", only: "vit-0", print: () => {} };
  await assert.rejects(
    runStudy(signStudy, options),
    /ablations.vit-0: is not trained yet; .*npm run study -- ablations/,
  );
});

test("shares are those of the images counted, and parts of the images add up to all of them", async () => {
  await ready();
  const images = toy.drawings(7, 48, { size: 48, patch: 8 });
  const model = classifier.create({ encoder, classes: 12, seed: 5 });
  const rows = await regionEntropies(model, images);
  assert.equal(rows.length, 48 * 4 * 2);
  for (const { layer, kind, share } of sharesOf(rows)) {
    const own = rows.filter((row) => row.layer === layer && row.kind === kind);
    const above = own.filter(({ foreground, background }) => background! > foreground!);
    assert.equal(share, (100 * above.length) / own.length);
  }
  const entropies = rows.map(({ foreground }) => foreground!);
  assert.ok(entropies.every((entropy) => entropy > 0 && entropy <= Math.log(37)));
  const facts = Array.from({ length: 48 }, (_, i) => images.facts(i));
  const measures = sharesByKind("ViT", rows, images);
  const backgrounds = [...new Set(facts.map(({ background }) => background))];
  const at = (layer: string) =>
    measures.find((one) => one.layer === layer && one.metric.includes("mean over heads"))!.value;
  const sum = backgrounds.reduce((all, background) => {
    const count = facts.filter((one) => one.background === background).length;
    return all + (count * at(`blocks.3, before ${background}`)) / 48;
  }, 0);
  assert.ok(Math.abs(sum - at("blocks.3")) < 1e-9);
  model.dispose();
});

test("an entropy of the mean pattern is no smaller than the mean over heads", async () => {
  const images = toy.drawings(8, 6, { size: 48, patch: 8 });
  const model = classifier.create({ encoder, classes: 12, seed: 6 });
  const rows = await regionEntropies(model, images);
  for (const row of rows.filter(({ kind }) => kind === "mean over heads")) {
    const other = rows.find(
      ({ index, layer, kind }) => index === row.index && layer === row.layer && kind !== row.kind,
    )!;
    assert.ok(other.foreground! >= row.foreground! - 1e-5);
  }
  model.dispose();
});
