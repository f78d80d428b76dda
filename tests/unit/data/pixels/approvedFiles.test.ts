import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import files from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createMemory } from "../../../../src/core/wasm/binary";
import * as pixels from "../../../../src/data/pixels";
import { expectImageFile } from "../../../../src/data/pixels/imageFile";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../support";

test("files of images and memory of pixels", async (t) => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const stats = (kind: "file" | "folder" | "pipe", size: number) =>
    ({ size, isFile: () => kind === "file", isDirectory: () => kind === "folder" }) as never;
  for (const kind of ["file", "folder", "pipe"] as const)
    for (const size of [0, 2 ** 30, 2 ** 30 + 1])
      await calls.does(`${kind} of ${size}`, () => expectImageFile(stats(kind, size)));
  for (const code of ["EMFILE", "ENFILE", "ENOMEM", "ENOENT", "EAGAIN", undefined])
    await calls.does(`isShortage ${code}`, () => pixels.isShortage(Object.assign(new Error(), { code })));
  for (const error of [null, undefined, "EMFILE", {}]) await calls.of(pixels.isShortage, error);
  await calls.of(pixels.unreadable, "no good");
  const path = join(folder, "bild é.bin");
  writeFileSync(path, Buffer.from("abc"));
  mkdirSync(join(folder, "inner"));
  const large = join(folder, "large");
  writeFileSync(large, "");
  truncateSync(large, 2 ** 30 + 1);
  writeFileSync(join(folder, "empty"), "");
  for (const one of ["bild é.bin", "inner", "none", "large", "empty"]) {
    await calls.does(`readImageFile ${one}`, () => pixels.readImageFile(join(folder, one)));
    await calls.does(`placeFile ${one}`, () =>
      pixels.PixelMemory.use((memory) => {
        const { address, length } = pixels.placeFile(memory, join(folder, one));
        return [length, memory.bytes(address, length).slice()];
      }),
    );
  }
  const { open } = files;
  for (const [times, code] of [
    [1, "EMFILE"],
    [3, "ENFILE"],
    [1, "ENOENT"],
  ] as const) {
    let count = 0;
    t.mock.method(files, "open", (...given: Parameters<typeof open>) =>
      count++ < times ? Promise.reject(Object.assign(new Error(`${code}: no`), { code })) : open(...given),
    );
    await calls.once(`readImageFile after ${times} times ${code}`, () => pixels.readImageFile(path));
    calls.note("  tried", count);
    t.mock.restoreAll();
  }
  const memory = new pixels.PixelMemory(100);
  calls.note("places", [
    memory.take(1),
    memory.take(16),
    memory.take(17),
    memory.take(0),
    memory.takeResult(3),
    memory.isTooLarge,
  ]);
  calls.note(
    "again",
    memory.perform((same) => [same.take(5), same.takeResult(5)]),
  );
  calls.note(
    "with a result's place",
    memory.perform((same) => [same.take(5), same.takeResult(5), same.takeResult(9)], 32),
  );
  const region = new pixels.PixelMemory(0, {
    memory: createMemory(2 ** 17, true),
    start: 64,
    end: 160,
  });
  calls.note("of a region", [region.take(16), region.take(16)]);
  await calls.does("beyond its end", () => region.perform((same) => [same.take(40), same.take(41)]));
  await calls.does("up to its end", () => region.perform((same) => [same.take(40), same.take(32)]));
  const outer = pixels.PixelMemory.use((first) => pixels.PixelMemory.use((second) => first === second));
  calls.note("one within another", outer);
  await calls.does("after an error", () =>
    pixels.PixelMemory.use(() => {
      throw new Error("too bad");
    }),
  );
  await calls.does("placedNumbers", () => {
    memory.bytes(0, 16).set(Array.from({ length: 16 }, (_, i) => i));
    return [true, false].map((isBytes) => pixels.placedNumbers({ memory, address: 4, length: 3, isBytes }));
  });
  calls.approve("data/pixels/files and memory");
});
