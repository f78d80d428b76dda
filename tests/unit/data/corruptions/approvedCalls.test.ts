import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { Rng } from "../../../../src/core/rng";
import { apply, corruptionOptions, layerCorruptions } from "../../../../src/data/corruptions/apply";
import { defocusKernel } from "../../../../src/data/corruptions/blur";
import { hsvToRgb, rgbToHsv } from "../../../../src/data/corruptions/color";
import { corruptFile } from "../../../../src/data/corruptions/corruptFile";
import { encodeJpeg, jpegCompression, pixelate } from "../../../../src/data/corruptions/digital";
import { drawsFrom } from "../../../../src/data/corruptions/draws";
import { canny, distanceToZero, equalize } from "../../../../src/data/corruptions/edges";
import { warpAffine } from "../../../../src/data/corruptions/elastic";
import {
  correlate,
  correlateLines,
  gaussianBlur,
  gaussianWeights,
  inside,
} from "../../../../src/data/corruptions/filters";
import { fogs, plasma, underCloud } from "../../../../src/data/corruptions/fog";
import { generate, generateOptions } from "../../../../src/data/corruptions/generate";
import {
  clipUnit,
  mapLayer,
  plane,
  toByteRange,
  toLayer,
  toSingle,
  toUnit,
  truncate,
} from "../../../../src/data/corruptions/image";
import { motionBlurred } from "../../../../src/data/corruptions/motion";
import { isWithin, OwnFolders, outputNames, realPlace } from "../../../../src/data/corruptions/outputs";
import { waterShine } from "../../../../src/data/corruptions/spatter";
import { zoomedCenter } from "../../../../src/data/corruptions/zoom";
import { decodeImage } from "../../../../src/data/reading";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { flatPng, paintedImage } from "../support";

const picture = paintedImage(37, 33, (x, y) => [(7 * x + 3 * y) % 256, (x * y) % 256, x > y ? 230 : 15]);
const photographs = [0, 1, 2, 3, 4, 5].map((i) =>
  paintedImage(45 + i, 40, (x, y) => [(40 * i + x) % 256, (5 * y) % 256, 99]),
);

test("what each corruption does at each severity is approved", async () => {
  const calls = new Calls();
  calls.note("names", [Object.keys(layerCorruptions), Object.keys(corruptionOptions.optional), fogs]);
  for (const [type, corrupt] of Object.entries(layerCorruptions))
    for (const severity of [1, 2, 3, 4, 5])
      await calls.does(
        `${type} ${severity}`,
        () => corrupt(picture, severity, drawsFrom(new Rng(severity)), photographs).data,
      );
  for (const severity of [1, 2, 3, 4, 5]) {
    await calls.does(`pixelate ${severity}`, () => [...pixelate(picture, severity).data]);
    calls.note(`defocusKernel ${severity}`, defocusKernel(severity));
  }
  calls.title("frost");
  for (const seed of [1, 2, 3, 4, 5, 6])
    calls.note(
      `of six ${seed}`,
      layerCorruptions.frost(picture, 2, drawsFrom(new Rng(seed)), photographs).data,
    );
  const frost = (name: string, of: typeof photographs | undefined) =>
    calls.does(`frost of ${name}`, () => layerCorruptions.frost(picture, 1, drawsFrom(new Rng(1)), of).width);
  await frost("none", []);
  await frost("nothing", undefined);
  await frost("one as wide", [paintedImage(37, 99, () => [1, 2, 3])]);
  await frost("one as high", [paintedImage(99, 33, () => [1, 2, 3])]);
  await frost("one a pixel larger", [paintedImage(38, 34, () => [1, 2, 3])]);
  calls.title("apply");
  const applied = (name: string, ...given: unknown[]) =>
    calls.does(`apply ${name}`, async () => {
      const { data, width, height } = await (apply as (...given: unknown[]) => ReturnType<typeof apply>)(
        ...given,
      );
      return [width, height, data.length];
    });
  for (const type of ["fog", "pixelate", "jpeg_compression", "frost"])
    await applied(type, picture, type, 3, new Rng(1), { frost: photographs });
  await applied("frost without photographs", picture, "frost", 3, new Rng(1));
  await applied("another type", picture, "dust", 3, new Rng(1));
  for (const severity of [0, 6, 2.5, Number.NaN, "3"])
    await applied(`severity ${severity}`, picture, "fog", severity, new Rng(1));
  await applied(
    "31 wide",
    paintedImage(31, 32, () => [1, 2, 3]),
    "fog",
    1,
    new Rng(1),
  );
  await applied(
    "31 high",
    paintedImage(32, 31, () => [1, 2, 3]),
    "fog",
    1,
    new Rng(1),
  );
  await applied(
    "all of it",
    paintedImage(31, 31, () => [1, 2, 3]),
    "dust",
    9,
    new Rng(1),
  );
  await applied(
    "32 x 32",
    paintedImage(32, 32, () => [1, 2, 3]),
    "brightness",
    1,
    new Rng(1),
  );
  await applied("no stream", picture, "fog", 1, 3);
  await applied("no image", { data: [1] }, "fog", 1, new Rng(1));
  await applied("another option", picture, "fog", 1, new Rng(1), { photographs });
  await calls.does("jpegCompression", async () =>
    (({ width, height, data }) => [width, height, data.length])(await jpegCompression(picture, 2)),
  );
  await calls.does("encodeJpeg", async () =>
    (({ width, height }) => [width, height])(await decodeImage(await encodeJpeg(picture, 60))),
  );
  calls.note(
    "smaller where worse",
    await Promise.all([25, 18, 15, 10, 7].map((quality) => encodeJpeg(picture, quality))).then((all) =>
      all.every(({ length }, i) => i === 0 || length <= all[i - 1].length),
    ),
  );
  calls.approve("data/corruptions/types");
});

test("what corruptions are made of is approved", async () => {
  const calls = new Calls();
  for (const border of ["nearest", "reflect", "reflect101"] as const)
    calls.note(
      `inside, ${border}`,
      [4, 1].map((length) => Array.from({ length: 18 }, (_, i) => inside(i - 8, length, border))),
    );
  for (const [sigma, radius] of [
    [1, 0],
    [1, 1],
    [0.5, 3],
    [2, 4],
    [9, 20],
    [20, 70],
    [40, 150],
  ] as const)
    await calls.of(gaussianWeights, sigma, radius);
  const layer = { ...toLayer(paintedImage(5, 4, (x, y) => [10 * x, 20 * y, 7 * x * y])), channels: 3 };
  calls.note("toUnit", toUnit(paintedImage(2, 1, (x) => [255 * x, 51, 1])));
  calls.note("toLayer", layer);
  calls.note(
    "toSingle",
    toSingle({ data: Float64Array.of(0.1, 1 / 3), width: 2, height: 1, channels: 1 }).data.map(
      (x) => x - Math.fround(x),
    ),
  );
  calls.note(
    "toByteRange",
    toByteRange({ data: Float64Array.of(-1, 0.5, 2), width: 3, height: 1, channels: 1 }),
  );
  calls.note("truncate", truncate({ data: Float64Array.of(0, 1.99, 255), width: 1, height: 1, channels: 3 }));
  calls.note("clipUnit", [-1, 0, 0.3, 1, 2].map(clipUnit));
  calls.note(
    "mapLayer",
    mapLayer(layer, (x, i) => x + i),
  );
  calls.note(
    "plane",
    plane(3, 2, (i) => i * i),
  );
  for (const options of [
    {},
    { border: "reflect" },
    { border: "reflect101", truncate: 2 },
    { single: true },
    { truncate: 0.2 },
  ] as const)
    await calls.does(`gaussianBlur ${JSON.stringify(options)}`, () => gaussianBlur(layer, 0.9, options));
  const weights = Float64Array.of(1, 10, 1);
  for (const along of ["rows", "columns"] as const)
    for (const border of ["nearest", "reflect101"] as const)
      await calls.of(correlateLines, layer, weights, along, border);
  await calls.of(correlate, layer, [0, 1, 0, 2, 5, 0, 3, 0, 7], 3, "reflect101");
  await calls.of(correlate, layer, [0, 1, 0, 2, 5, 0, 3, 0, 7], 3, "nearest");
  calls.title("colors");
  for (const [r, g, b] of [
    [0, 0, 0],
    [1, 1, 1],
    [1, 0, 0],
    [0, 0.5, 0],
    [0, 0, 0.25],
    [1, 0.5, 0],
    [0.5, 1, 0.2],
    [0.1, 0.9, 0.7],
    [0.2, 0.3, 0.8],
    [0.7, 0.2, 0.9],
    [0.9, 0.1, 0.6],
    [0.5, 0.5, 0.2],
    [0.2, 0.5, 0.5],
    [0.5, 0.2, 0.5],
  ] as const) {
    await calls.of(rgbToHsv, r, g, b);
    await calls.of(hsvToRgb, r, g, b);
  }
  calls.title("draws");
  const draws = drawsFrom(new Rng(4));
  calls.note("normal", [draws.normal(), draws.normal()]);
  calls.note("between", [draws.between(-3, -1), draws.between(5, 9)]);
  calls.note(
    "integer",
    Array.from({ length: 12 }, () => draws.integer(-2, 3)),
  );
  for (const mean of [0, 0.3, 2, 30, 60])
    calls.note(
      `poisson ${mean}`,
      Array.from({ length: 9 }, () => draws.poisson(mean)),
    );
  calls.title("edges");
  const bytes = (width: number, height: number, value: (x: number, y: number) => number) => ({
    data: Uint8Array.from({ length: width * height }, (_, i) => value(i % width, Math.floor(i / width))),
    width,
    height,
  });
  const scenes = {
    upright: bytes(8, 6, (x) => (x > 3 ? 200 : 0)),
    level: bytes(7, 6, (_, y) => (y > 2 ? 100 : 40)),
    falling: bytes(8, 8, (x, y) => (x > y ? 220 : 0)),
    rising: bytes(8, 8, (x, y) => (x + y > 7 ? 220 : 0)),
    faint: bytes(8, 6, (x, y) => (x > 3 ? 14 + 5 * y : 0)),
    dot: bytes(7, 7, (x, y) => (x === 3 && y === 2 ? 255 : 0)),
    even: bytes(4, 4, () => 9),
    slope: bytes(9, 5, (x, y) => (25 * x + 3 * y) % 256),
    wave: bytes(11, 9, (x, y) => Math.round(120 + 100 * Math.sin(x * 1.1 + y * 0.7))),
  };
  for (const [name, scene] of Object.entries(scenes)) {
    for (const [low, high] of [
      [50, 150],
      [150, 150],
      [50, 800],
      [0, 0],
    ])
      calls.note(
        `canny ${name} ${low} ${high}`,
        Array.from({ length: scene.height }, (_, y) =>
          Array.from(canny(scene, low, high).subarray(y * scene.width, (y + 1) * scene.width), (edge) =>
            edge ? "#" : ".",
          ).join(""),
        ).join(" "),
      );
    calls.note(`distanceToZero ${name}`, distanceToZero(scene));
    calls.note(`equalize ${name}`, [...equalize(scene.data)]);
    calls.note(
      `waterShine ${name}`,
      waterShine({ ...scene, data: Float64Array.from(scene.data, (byte) => byte / 255), channels: 1 }),
    );
  }
  calls.title("movements");
  for (const angle of [0, 45, -45, 90, -100, 30])
    await calls.does(`motionBlurred ${angle}`, () => motionBlurred(layer, { radius: 2, sigma: 1.5, angle }));
  await calls.does("motionBlurred from 2.5", () =>
    motionBlurred(layer, { radius: 2.5, sigma: 9, angle: 10 }),
  );
  for (const affine of [
    [1, 0, 0, 0, 1, 0],
    [1, 0, 1.25, 0, 1, -0.5],
    [0, 1, 0, -1, 0, 3],
    [0.9, 0.1, 0.3, -0.2, 1.1, 0.7],
  ] as const)
    await calls.does(`warpAffine ${affine}`, () => warpAffine(layer, affine));
  for (const factor of [1, 1.01, 1.3, 2, 2.5, 4.5])
    await calls.does(`zoomedCenter ${factor}`, () => zoomedCenter(layer, factor));
  for (const [size, decay] of [
    [2, 2],
    [4, 1.7],
    [8, 1.4],
  ] as const)
    await calls.does(`plasma ${size} ${decay}`, () => plasma(size, decay, drawsFrom(new Rng(2))));
  await calls.does("underCloud", () =>
    underCloud(
      paintedImage(3, 2, (x, y) => [50 * x, 90 * y, 10]),
      4,
      Float64Array.from({ length: 16 }, (_, i) => i / 16),
      4,
    ),
  );
  calls.approve("data/corruptions/parts");
});

test("how folders of corrupted images are written is approved", async () => {
  const folder = realPlace(temporaryFolder());
  const calls = new Calls({ tmp: folder });
  const at = (...names: string[]) => join(folder, ...names);
  const put = (path: string, content: string | Uint8Array) => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), content);
  };
  await calls.of(outputNames, ["a/b.jpg", "a/c.JPEG", "d.png", "e.jpeg.webp", "é.tif", "x\udc81y.jpg"]);
  await calls.of(outputNames, []);
  await calls.of(outputNames, ["a.png.JPEG", "a.png", "b.jpg"]);
  for (const [place, within] of [
    ["/a/b", "/a"],
    ["/a", "/a"],
    ["/ab", "/a"],
    ["/a", "/a/b"],
    ["/", "/a"],
  ])
    await calls.of(isWithin, place, within);
  mkdirSync(at("real"));
  mkdirSync(at("bare"));
  symlinkSync(at("real"), at("link"));
  symlinkSync(at("gone"), at("broken"));
  for (const name of ["real", "link", "link/new/deep", "none/x", "broken"])
    await calls.of(realPlace, at(name));
  put("file", "");
  const own = new OwnFolders(at("real"));
  for (const name of ["real/a/b", "real", "real/a", "real/a/b/c"])
    await calls.does(`make ${name}`, () => own.make(at(name)));
  symlinkSync(at("link"), at("real", "l"));
  put("real/f", "");
  await calls.does("make below a link", () => own.make(at("real/l/x")));
  await calls.does("make below a file", () => own.make(at("real/f/x")));
  calls.note("made", readdirSync(at("real", "a"), { recursive: true }).sort());
  calls.title("files");
  const png = await flatPng(50, 40, [200, 100, 20]);
  for (const path of ["src/n1/a.png", "src/n1/b.jpg", "src/n2/c.png"]) put(path, png);
  put("src/n2/bad.jpg", "no image");
  const plan = {
    source: at("src"),
    target: at("one"),
    types: ["contrast", "pixelate"] as const,
    severities: [2, 5],
    size: 36,
    seed: 3,
  };
  const image = { path: "n1/a.png", output: "n1/a.png.JPEG" };
  const files = (name: string) =>
    (readdirSync(at(name), { recursive: true, withFileTypes: true }) ?? [])
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
      .sort();
  mkdirSync(at("one"));
  await calls.once("corruptFile", () => corruptFile(plan, image, [], new OwnFolders(at("one"))));
  calls.note("files", files("one"));
  await calls.does("its size", async () =>
    (({ width, height }) => [width, height])(await decodeImage(files("one")[0])),
  );
  writeFileSync(files("one")[0], "kept");
  await calls.once("corruptFile again", () =>
    corruptFile({ ...plan, severities: [1, 2, 5] }, image, [], new OwnFolders(at("one"))),
  );
  calls.note("the first, files", [
    readFileSync(files("one").find((file) => file.includes("contrast/2"))!, "utf8").slice(0, 4),
    files("one").length,
  ]);
  await calls.once("corruptFile of no image", () =>
    corruptFile(plan, { path: "n2/bad.jpg", output: "n2/bad.jpg" }, [], new OwnFolders(at("one"))),
  );
  await calls.once("corruptFile of nothing", () =>
    corruptFile(plan, { path: "n2/none.jpg", output: "n2/none.jpg" }, [], new OwnFolders(at("one"))),
  );
  calls.title("runs");
  calls.note("options", generateOptions);
  const run = async (name: string, options: object, source = at("src"), target = at("out")) => {
    await calls.once(`generate ${name}`, async () => {
      const made = await generate(source, target, {
        types: ["contrast"],
        severities: [1],
        size: 32,
        workers: 1,
        ...options,
      });
      const done: unknown[] = [];
      for await (const one of made) done.push(one);
      return {
        length: made.length,
        workers: made.workers,
        done,
        written: made.written,
        kept: made.kept,
        report: made.report.skipped,
        text: String(made),
        inspected: inspect(made) === String(made),
      };
    });
  };
  await run("all", {});
  calls.note("files", [files("out"), readFileSync(at("out", "corruptions.json"), "utf8")]);
  await run("another severity, a shard", { severities: [2, 3], shard: { index: 2, count: 2 } });
  await run("another size", { size: 33 });
  await run("another seed", { seed: 1 });
  await run("inside the source", {}, at("src"), at("src", "x"));
  await run("in the source's place", {}, at("src"), at("src"));
  await run("through a link", {}, at("real"), at("link", "y"));
  await run("beside it", { types: ["brightness"] }, at("src"), at("src2"));
  await run("of no images", {}, at("bare"), at("out2"));
  await run("of nothing", {}, at("nowhere"), at("out2"));
  await run("frost without photographs", { types: ["frost"] });
  await run("frost of none", { types: ["frost"], frost: at("bare") });
  put("frost/f.png", await flatPng(60, 60, [220, 230, 240]));
  await run("frost", { types: ["frost"], frost: at("frost") });
  put("small/f.png", await flatPng(32, 60, [220, 230, 240]));
  await run("frost too small", { types: ["frost"], frost: at("small") }, at("src"), at("out3"));
  for (const options of [
    { types: [] },
    { types: ["dust"] },
    { severities: [] },
    { severities: [0] },
    { severities: [6] },
    { size: 31 },
    { size: 16385 },
    { seed: -1 },
    { workers: 0 },
    { shard: { index: 3, count: 2 } },
    { shard: { index: 0, count: 2 } },
    { partial: true },
  ])
    await run(JSON.stringify(options), options);
  await calls.once("generate of a number", () => generate(3 as never, at("out")));
  const stopped = await generate(at("src"), at("early"), {
    types: ["contrast"],
    severities: [1],
    size: 32,
    workers: 2,
  });
  for await (const one of stopped) {
    calls.note("the first of a run that is left", typeof one.path);
    break;
  }
  calls.note(
    "nothing unfinished",
    readdirSync(at("early"), { recursive: true }).filter((name) => /tmp|partial/.test(String(name))),
  );
  calls.approve("data/corruptions/folders");
});
