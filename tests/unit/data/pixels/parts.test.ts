import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readlinkSync, type Stats, truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createMemory } from "../../../../src/core/wasm/binary";
import { expectImageFile, isShortage, readImageFile } from "../../../../src/data/pixels/imageFile";
import { placeFile } from "../../../../src/data/pixels/jpeg/placedFile";
import { axisWeights, bicubicAxis, kernels, packAxis } from "../../../../src/data/pixels/kernels/axisWeights";
import { PixelMemory, RegionFull } from "../../../../src/data/pixels/kernels/pixelMemory";
import { placePixels } from "../../../../src/data/pixels/kernels/resamplePixels";
import { unnormalize } from "../../../../src/data/pixels/normalize";
import { flipInPlace, resizedPart } from "../../../../src/data/pixels/pixelSteps";
import { cropBox, nearestPositions, resize } from "../../../../src/data/pixels/resample";
import { isLuvitError, paintedImage, put, temporaryFolder } from "../support";

describe("weights of resizing", () => {
  it("are those of the kernels: a box without its left end, a triangle, Keys' cubic with a = -0.5", () => {
    const at = (name: keyof typeof kernels, places: number[]) => places.map((x) => kernels[name].weight(x));
    assert.deepEqual(at("box", [-0.5, -0.49, 0, 0.5, 0.51]), [0, 1, 1, 1, 0]);
    assert.deepEqual(at("bilinear", [-1.5, -1, -0.25, 0, 0.5, 1]), [0, 0, 0.75, 1, 0.5, 0]);
    assert.deepEqual(
      at("bicubic", [-2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3]).map((x) => x + 0),
      [0, 0, -0.0625, 0, 0.5625, 1, 0.5625, 0, -0.0625, 0, 0, 0],
    );
    assert.deepEqual(
      Object.values(kernels).map(({ support }) => support),
      [0.5, 1, 2],
    );
  });

  it("widen when shrinking, sum to one and are rounded to 22 bits away from zero", () => {
    const one = 2 ** 22;
    const rowsOf = ({ starts, counts, weights, stride }: ReturnType<typeof axisWeights>) =>
      [...starts].map((start, i) => [start, ...weights.subarray(i * stride, i * stride + counts[i])]);
    assert.deepEqual(rowsOf(axisWeights(4, 0, 4, 2, kernels.box)), [
      [0, one / 2, one / 2],
      [2, one / 2, one / 2],
    ]);
    // Twice as many: three quarters of the nearer one, a quarter of the other, all of the last one at the ends.
    assert.deepEqual(rowsOf(axisWeights(2, 0, 2, 4, kernels.bilinear)), [
      [0, one],
      [0, 0.75 * one, 0.25 * one],
      [0, 0.25 * one, 0.75 * one],
      [1, one],
    ]);
    // The middle of four of eight inputs, from the third on.
    assert.deepEqual(rowsOf(axisWeights(8, 2, 4, 1, kernels.box)), [[2, one / 4, one / 4, one / 4, one / 4]]);
    const third = Math.round(one / 3);
    assert.deepEqual(rowsOf(axisWeights(3, 0, 3, 1, kernels.box)), [[0, third, third, third]]);
    const [row] = rowsOf(axisWeights(4, 0, 4, 4, kernels.bicubic)).slice(1, 2);
    assert.deepEqual(row, [0, 0, one, 0, 0].slice(0, row.length));
    const half = rowsOf(axisWeights(4, 0.5, 3, 3, kernels.bicubic))[1];
    assert.deepEqual(half, [0, -0.0625 * one, 0.5625 * one, 0.5625 * one, -0.0625 * one]);
  });

  it("are kept by both lengths", () => {
    const pairs = [
      [40, 30],
      [30, 40],
      [41, 30],
      [40, 31],
    ];
    const fresh = ([inputs, outputs]: number[]) =>
      packAxis(axisWeights(inputs, 0, inputs, outputs, kernels.bicubic));
    for (const round of [0, 1])
      for (const pair of pairs)
        assert.deepEqual(bicubicAxis(pair[0], pair[1]), fresh(pair), `${round} ${pair}`);
    assert.equal(bicubicAxis(40, 30), bicubicAxis(40, 30));
  });
});

describe("resizing and cutting", () => {
  const image = paintedImage(9, 5, (x, y) => [20 * x, 50 * y, 7]);
  const box = { left: 2, top: 1, width: 3, height: 2 };

  it("take the nearest pixels of a box, rows and columns apart", () => {
    const { data, width, height } = resize(image, 6, 1, { filter: "nearest", box });
    assert.deepEqual([width, height], [6, 1]);
    assert.deepEqual(
      [...data],
      [2, 2, 3, 3, 4, 4].flatMap((x) => [20 * x, 50 * 2, 7]),
    );
    assert.deepEqual([...nearestPositions(1.5, 3, 3)], [2, 3, 4]);
    assert.deepEqual([...nearestPositions(0, 10, 4)], [1, 3, 6, 8]);
  });

  it("take a box that ends with the image, and none that is a pixel further on any side, empty or in parts", () => {
    const fits = [
      { left: 0, top: 0, width: 9, height: 5 },
      { left: 8, top: 4, width: 1, height: 1 },
    ];
    for (const one of fits) {
      assert.equal(cropBox(image, one).data.length, 3 * one.width * one.height);
      for (const filter of ["nearest", "bilinear"] as const)
        assert.equal(resize(image, 2, 2, { filter, box: one }).data.length, 12);
    }
    assert.deepEqual([...cropBox(image, fits[1]).data], [160, 200, 7]);
    const outside = [
      { ...box, left: -1 },
      { ...box, top: -1 },
      { ...box, left: 7 },
      { ...box, top: 4 },
      { ...box, width: 0 },
      { ...box, height: 0 },
      { ...box, width: Number.NaN },
    ];
    for (const one of outside) {
      const refused = isLuvitError("bad-argument", "does not fit an image of 9 x 5");
      assert.throws(() => cropBox(image, one), refused, JSON.stringify(one));
      assert.throws(() => resize(image, 4, 4, { box: one }), refused, JSON.stringify(one));
    }
    for (const [width, height] of [
      [0, 4],
      [4, 0],
      [2.5, 4],
      [4, 2.5],
      [-1, 4],
      [4, Number.NaN],
    ])
      assert.throws(
        () => resize(image, width, height),
        isLuvitError("bad-argument", `to ${width} x ${height}`),
      );
    assert.throws(() => cropBox(image, { ...box, width: 2.5 }), isLuvitError("bad-argument", "2.5"));
    assert.ok(resize(image, 4, 4, { box: { ...box, width: 2.5 } }));
  });

  it("compute a part of a bilinear resizing as if all of it had been made, whatever its shape and place", () => {
    const wide = paintedImage(23, 14, (x, y) => [(11 * x * y) % 256, 10 * x, 17 * y]);
    for (const [width, height] of [
      [31, 19],
      [9, 40],
      [12, 5],
    ]) {
      const whole = resize(wide, width, height, { filter: "bilinear" });
      for (const part of [
        { left: 0, top: 0, width, height },
        { left: 5, top: 1, width: 4, height: 3 },
        { left: 1, top: 3, width: width - 1, height: 2 },
        { left: width - 1, top: height - 1, width: 1, height: 1 },
      ]) {
        const found = PixelMemory.use((memory) => {
          const placed = placePixels(memory, { ...wide, offset: 0, line: 3 * wide.width });
          const { address, line, ...size } = resizedPart(memory, placed, { width, height }, part);
          assert.deepEqual([line, size], [3 * part.width, { width: part.width, height: part.height }]);
          return [...memory.bytes(address, line * part.height)];
        });
        assert.deepEqual(
          found,
          [...cropBox(whole, part).data],
          `${width} x ${height}, ${JSON.stringify(part)}`,
        );
      }
    }
  });

  it("begin with a part's own rows and columns, over the whole width or not", () => {
    const wide = paintedImage(7, 6, (x, y) => [30 * x, 40 * y, x + 10 * y]);
    const line = 3 * wide.width;
    for (const part of [
      { left: 0, top: 2, width: 7, height: 3 },
      { left: 2, top: 1, width: 4, height: 5 },
    ]) {
      const found = PixelMemory.use((memory) => {
        const { width, height, left, top } = part;
        const placed = placePixels(memory, { ...wide, width, height, offset: top * line + 3 * left, line });
        return [...memory.bytes(placed.address, 3 * width * height)];
      });
      assert.deepEqual(found, [...cropBox(wide, part).data], JSON.stringify(part));
    }
  });

  it("take images of bytes with both sides, and nothing else", () => {
    for (const wrong of [
      { ...image, data: [...image.data] },
      { data: image.data, width: 9 },
      image.data,
      null,
      3,
    ])
      assert.throws(
        () => cropBox(wrong as unknown as typeof image, box),
        isLuvitError("bad-argument", "cropBox: expected an image { data, width, height }"),
      );
    const kept = { ...image, data: Buffer.from(image.data) };
    assert.deepEqual([...cropBox(kept, box).data], [...cropBox(image, box).data]);
  });

  it("mirror pixels where they lie, also those of odd widths and of rows with gaps", () => {
    for (const width of [1, 2, 5, 6]) {
      const line = 3 * width + 5;
      const data = Uint8Array.from({ length: 3 * line }, (_, i) => i);
      const found = PixelMemory.use((memory) => {
        const address = memory.take(data.length);
        memory.bytes(address, data.length).set(data);
        flipInPlace(memory, { address, line, width, height: 3 });
        return memory.bytes(address, data.length).slice();
      });
      const expected = data.slice();
      for (let y = 0; y < 3; y++)
        for (let x = 0; x < width; x++)
          for (let c = 0; c < 3; c++)
            expected[y * line + 3 * x + c] = data[y * line + 3 * (width - 1 - x) + c];
      assert.deepEqual(found, expected, `${width} wide`);
    }
  });

  it("turn normalized numbers back to bytes that are rounded and cut off at both ends", () => {
    const level = (byte: number, c: number) =>
      (byte / 255 - [0.485, 0.456, 0.406][c]) / [0.229, 0.224, 0.225][c];
    const bytes = [
      [-9, 0, 0.6],
      [254.4, 255, 300],
    ];
    const planes = Float32Array.from([0, 1, 2].flatMap((c) => bytes.map((pixel) => level(pixel[c], c))));
    assert.deepEqual([...unnormalize(planes, 2, 1).data], [0, 0, 1, 254, 255, 255]);
    assert.throws(
      () => unnormalize(planes, 3, 2),
      isLuvitError("shape-mismatch", "expected [3, 2, 3], got 6 numbers"),
    );
  });
});

describe("memory of pixels", () => {
  it("gives places one behind the other, from the start again for every step, and ends where its region does", () => {
    const whole = new PixelMemory();
    const places = whole.perform((memory) => [
      memory.take(1),
      memory.take(16),
      memory.take(17),
      memory.take(1),
    ]);
    assert.deepEqual(
      places.map((place) => place - places[0]),
      [0, 16, 32, 64],
    );
    assert.equal(
      whole.perform((memory) => memory.take(5)),
      places[0],
    );
    assert.ok(places[0] >= 16, "as much before it can be read");
    assert.equal(
      whole.perform((memory) => memory.takeResult(8), 4096),
      4096,
    );
    assert.equal(
      whole.perform((memory) => memory.takeResult(8)),
      places[0],
    );
    const [start, end] = [1024, 1024 + 64];
    const part = new PixelMemory(16, { memory: createMemory(2 ** 16, true), start, end });
    assert.equal(
      part.perform((memory) => memory.take(32)),
      start + 32,
      "behind what is kept and what may be read before a place",
    );
    assert.throws(() => part.perform((memory) => memory.take(33)), RegionFull);
  });

  it("is another one for a step within a step, and is given away again behind it, also after an error", () => {
    const [outer, inner] = PixelMemory.use((one) => [one, PixelMemory.use((two) => two)]);
    assert.notEqual(outer, inner);
    assert.equal(
      PixelMemory.use((memory) => memory),
      outer,
    );
    assert.throws(() =>
      PixelMemory.use((memory) => {
        assert.equal(memory, outer);
        throw new Error("no");
      }),
    );
    assert.equal(
      PixelMemory.use((memory) => memory),
      outer,
    );
    const large = PixelMemory.use((memory) => {
      memory.take(128 * 2 ** 20);
      return memory;
    });
    assert.ok(large.isTooLarge);
    assert.notEqual(
      PixelMemory.use((memory) => memory),
      large,
    );
  });
});

const skip = process.platform !== "linux" && "which files are open is read from /proc";

describe("a place that is no image file", { skip }, () => {
  const openBelow = (folder: string) =>
    readdirSync("/proc/self/fd").flatMap((name) => {
      try {
        const path = readlinkSync(`/proc/self/fd/${name}`);
        return path.startsWith(folder) ? [path] : [];
      } catch {
        return []; // the one of this very list
      }
    });

  it("is refused by what it is, and left closed", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "images.jpg"));
    const pipe = spawnSync("mkfifo", [join(folder, "pipe.jpg")]);
    truncateSync(await put(folder, "large.jpg", ""), 2 ** 30 + 1);
    const places: [string, string][] = [
      ["images.jpg", "it is a folder"],
      ["large.jpg", "1073741825 bytes are more than the limit of 1073741824"],
    ];
    if (pipe.status === 0) places.push(["pipe.jpg", "it is a pipe or a device"]);
    for (const [name, reason] of places) {
      const path = join(folder, name);
      await assert.rejects(readImageFile(path), isLuvitError("bad-image", reason));
      assert.throws(
        () => PixelMemory.use((memory) => placeFile(memory, path)),
        isLuvitError("bad-image", reason),
      );
      assert.deepEqual(openBelow(folder), [], name);
    }
    for (const read of [readImageFile, async (path: string) => PixelMemory.use((m) => placeFile(m, path))])
      await assert.rejects(read(join(folder, "none.jpg")), { code: "ENOENT" });
  });

  it("may have as many bytes as the limit", () => {
    const stats = (size: number) => ({ size, isFile: () => true, isDirectory: () => false }) as Stats;
    expectImageFile(stats(2 ** 30));
    expectImageFile(stats(0));
    assert.throws(() => expectImageFile(stats(2 ** 30 + 1)), isLuvitError("bad-image", "limit"));
  });

  it("is read whole where it is one, its bytes placed with some behind them", async () => {
    const content = Buffer.from("some bytes of an image");
    const path = await put(temporaryFolder(), "x.jpg", content);
    assert.deepEqual(await readImageFile(path), content);
    const placed = PixelMemory.use((memory) => {
      const { address, length } = placeFile(memory, path);
      return Buffer.from(memory.bytes(address, length).slice());
    });
    assert.deepEqual(placed, content);
  });
});

it("only what the system is short of leaves an image unjudged", () => {
  for (const code of ["EMFILE", "ENFILE", "ENOMEM"])
    assert.ok(isShortage(Object.assign(new Error(), { code })), code);
  for (const other of [
    { code: "ENOENT" },
    { code: "EACCES" },
    { code: "EISDIR" },
    {},
    null,
    undefined,
    "EMFILE",
  ])
    assert.ok(!isShortage(other), JSON.stringify(other));
});
