import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { packageRoot } from "../../../src/core/packageRoot";
import { Rng } from "../../../src/core/rng";
import { hasSpecialShortFloats, widenShortFloats } from "../../../src/core/shortFloats";
import {
  ensureBackend,
  onBackend,
  onHost,
  startBackend,
  TfjsStatus,
  tensorField,
  tf,
} from "../../../src/core/tf";
import { Calls } from "../../support/calls";
import { temporaryFolder } from "../../support/temporaryFolder";

const times = <T>(count: number, draw: () => T) => Array.from({ length: count }, draw);

function isInstalled(name: string): boolean {
  try {
    return require.resolve(name) !== "";
  } catch {
    return false;
  }
}

describe("of random and of short numbers", () => {
  it("what seeds give is approved", async () => {
    const calls = new Calls();
    for (const seed of [0, 1, 7, 2 ** 31, 2 ** 32 - 1, 2 ** 32, -1, 1.5])
      await calls.does(`uint32 of ${seed}`, () =>
        times(
          5,
          (
            (rng) => () =>
              rng.uint32()
          )(new Rng(seed)),
        ),
      );
    calls.note("a seed is kept", [new Rng(2 ** 40).seed, new Rng(5).fork("a").seed]);
    const forks: (string | number)[][] = [
      [],
      [""],
      ["mask"],
      ["mask", 3],
      ["mask3"],
      [3, "mask"],
      ["m", "ask", 3],
      ["mask", "3"],
      [3],
      [1.5],
      ["日"],
      ["😀"],
      ["a/b"],
      ["a", "b"],
    ];
    for (const labels of forks)
      await calls.does(`fork ${JSON.stringify(labels)}`, () => new Rng(11).fork(...labels).uint32());
    await calls.does("a fork after draws is the same", () => {
      const rng = new Rng(11);
      const before = rng.fork("x").uint32();
      rng.normal();
      return [
        before,
        rng.fork("x").uint32(),
        rng.fork("x").fork("y").uint32(),
        new Rng(12).fork("x").uint32(),
      ];
    });
    const drawn = (name: string, draw: (rng: Rng) => unknown) =>
      calls.does(name, () => {
        const rng = new Rng(3);
        return [draw(rng), rng.uint32()];
      });
    await drawn("uniform", (rng) => times(4, () => rng.uniform()));
    await drawn("between", (rng) => times(4, () => rng.between(-2, 5)));
    for (const bound of [1, 2, 7, 1000])
      await drawn(`integer ${bound}`, (rng) => times(9, () => rng.integer(bound)));
    await drawn("normal", (rng) => times(9, () => rng.normal()));
    for (const [alpha, beta] of [
      [0.8, 0.8],
      [1, 1],
      [0.2, 3],
      [5, 2],
      [1 / 3, 1],
    ])
      await drawn(`beta ${alpha} ${beta}`, (rng) => times(5, () => rng.beta(alpha, beta)));
    for (const length of [0, 1, 2, 9]) await drawn(`permutation ${length}`, (rng) => rng.permutation(length));
    for (const length of [0, 1, 2, 5, 2047, 2048, 2049, 5000]) {
      await drawn(`fillNormal ${length}`, (rng) => {
        const out = new Float32Array(length);
        rng.fillNormal(out, 0.5);
        return [out.slice(0, 3), out.reduce((sum, one) => sum + one, 0).toFixed(2), out.at(-1), rng.normal()];
      });
      await drawn(`fillNormal ${length} after one normal`, (rng) => {
        const out = new Float32Array(length);
        const first = rng.normal();
        rng.fillNormal(out, 2);
        return [first, out.slice(0, 3), out.at(-1), rng.normal()];
      });
      await drawn(`fillBetween ${length}`, (rng) => {
        const out = new Float32Array(length);
        rng.fillBetween(out, -1, 3);
        return [
          out.slice(0, 3),
          out.reduce((sum, one) => sum + one, 0).toFixed(1),
          out.at(-1),
          rng.uniform(),
        ];
      });
    }
    await drawn("fills agree with single draws", (rng) => {
      const [one, other] = [new Float32Array(4099), new Rng(3)];
      rng.fillNormal(one, 1);
      const singles = Float32Array.from(one, () => other.normal());
      return [one.every((value, i) => value === singles[i]), rng.uint32() === other.uint32()];
    });
    calls.approve("core/random");
  });

  it("what two bytes widen to is approved", async () => {
    const calls = new Calls();
    const patterns = [
      0, 1, 2, 0x3ff, 0x400, 0x401, 0x3c00, 0x3c01, 0x7bff, 0x7c00, 0x7c01, 0x7e00, 0x7f80, 0x7f81, 0x7f7f,
      0x3f80, 0x4248,
    ];
    const bytes = (values: readonly number[]) => new Uint8Array(Uint16Array.from(values).buffer);
    const widened = (given: Uint8Array, dtype: "F16" | "BF16") => {
      const out = new Float32Array(given.length / 2);
      widenShortFloats(given, dtype, out);
      return out;
    };
    const text = (value: number) =>
      value === 0 ? `${Object.is(value, -0) ? "-" : ""}0` : value.toExponential(6);
    for (const dtype of ["F16", "BF16"] as const) {
      for (const sign of [0, 0x8000])
        await calls.does(`${dtype} with sign ${sign}`, () =>
          Array.from(widened(bytes(patterns.map((one) => one | sign)), dtype), text),
        );
      for (const count of [0, 1, 7, 8, 9, 32767, 32768, 32769, 65537]) {
        const many = bytes(Array.from({ length: count }, (_, i) => 0x3c00 + (i % 1021)));
        await calls.does(`${count} ${dtype}`, () => widened(many, dtype));
        await calls.does(`special among ${count} ${dtype}`, () => hasSpecialShortFloats(many, dtype));
        for (const special of dtype === "F16" ? [0x7c00, 0xfc00, 0x7e01] : [0x7f80, 0xff80, 0x7fc1]) {
          const one = bytes(Array.from({ length: count }, (_, i) => (i === count - 1 ? special : 0x3c00)));
          await calls.does(`${special} behind ${count} ${dtype}`, () => hasSpecialShortFloats(one, dtype));
        }
      }
      for (const pattern of [0x7bff, 0x7c00, 0x7f7f, 0x7f80, 0xfbff, 0xff7f]) {
        await calls.does(`${pattern.toString(16)} is special ${dtype}`, () =>
          hasSpecialShortFloats(bytes([0, pattern, 0]), dtype),
        );
      }
      await calls.does(`nothing is left of those before, ${dtype}`, () => [
        hasSpecialShortFloats(bytes(Array(8).fill(0x7f80 | 0x7c00)), dtype),
        hasSpecialShortFloats(bytes([1]), dtype),
      ]);
    }
    await calls.does("bytes at an odd place", () =>
      widened(new Uint8Array([9, ...bytes([0x3c00, 0xc000])]).subarray(1), "F16"),
    );
    calls.approve("core/shortFloats");
  });

  it("what tfjs is started with is approved", async () => {
    const calls = new Calls();
    await calls.does("before", () => tf.engine().backend);
    await calls.does("a backend that is none", () => startBackend({ backend: "gpu" as never }));
    const seen: string[] = [];
    onBackend((backend) => seen.push(`early ${backend}`));
    const cpu = await startBackend({ backend: "cpu" });
    calls.note("cpu", [
      cpu.backend,
      cpu.device.replace(/^.*?(?=, 1 thread)/, "…"),
      cpu.passedOver,
      `${cpu}`.replace(/\(.*?(?=, 1 thread)/, "(…"),
    ]);
    onBackend((backend) => seen.push(`late ${backend}`));
    calls.note("registered", seen);
    calls.note("the same again", [
      (await startBackend()) === cpu,
      (await startBackend({ backend: "cpu" })) === cpu,
    ]);
    const wasm = await startBackend({ backend: "wasm" });
    calls.note("wasm", [
      wasm.backend,
      wasm.device.replace(/^.*?(?=, 1 thread)/, "…"),
      wasm.passedOver,
      tf.getBackend(),
    ]);
    calls.note("registered", seen);
    await startBackend({ backend: "cpu" });
    calls.note("each once", seen);
    await ensureBackend();
    calls.note("what is there stays", [
      tf.getBackend(),
      typeof (globalThis as never)[Symbol.for("luvit.backend.start")],
      tf.env().get("PROD"),
    ]);
    calls.note("a status", `${new TfjsStatus("tensorflow", "GPU", ["a"])}`);
    await calls.does("onHost", () => onHost(() => tf.tensor([1, 2]).add(3).arraySync()));
    await calls.does("onHost that throws", () =>
      onHost(() => {
        tf.ones([2]);
        throw new Error("body");
      }),
    );
    for (const value of [
      tf.zeros([1]),
      [1],
      null,
      undefined,
      { shape: [], dtype: "", dataId: 0 },
      { shape: [], dtype: "" },
    ])
      calls.note("a tensor", tensorField.holds?.(value));
    calls.note("expected", tensorField.expected);
    calls.note("mended", tf.grad((x) => tf.square(x))(tf.scalar(3)));
    calls.approve("core/tfjs");
  });

  it("what is made of tfjs-node-gpu, or of what stands in its place, is approved", {
    skip: isInstalled("@tensorflow/tfjs-node-gpu"),
  }, () => {
    const calls = new Calls();
    const tmp = temporaryFolder("tfjs");
    const addon = join(tmp, "@tensorflow", "tfjs-node-gpu");
    mkdirSync(addon, { recursive: true });
    const begins = `const { KernelBackend, registerBackend } = require(${JSON.stringify(require.resolve("@tensorflow/tfjs-core"))});`;
    const backend = (isUsingGpuDevice: boolean) =>
      `${begins} registerBackend("tensorflow", () => Object.assign(new KernelBackend(), { isUsingGpuDevice: ${isUsingGpuDevice}, dispose() {} }));`;
    const says = `
      const { startBackend, tf } = require(${JSON.stringify(join(packageRoot(), "dist", "core", "tf.js"))});
      const util = require("node:util");
      delete util.isNullOrUndefined;
      delete util.isArray;
      startBackend().then(
        (status) => [status.backend, status.device.replace(/^.*?(?=, \\d+ thread)/, "…").replace(/\\d+ threads/, "n threads"), status.passedOver],
        (error) => [error.code, error.message],
      ).then((told) => console.log(JSON.stringify([...told, process.env.TF_FORCE_GPU_ALLOW_GROWTH, process.env.TF_CPP_MIN_LOG_LEVEL, [undefined, null, 0].map((one) => util.isNullOrUndefined?.(one)), util.isArray?.([])])));`;
    const cases: Record<string, [content: string | undefined, environment: Record<string, string>]> = {
      "with a GPU": [backend(true), {}],
      "without one": [backend(false), { TF_CPP_MIN_LOG_LEVEL: "0", TF_FORCE_GPU_ALLOW_GROWTH: "false" }],
      "that does not load": ['throw new Error("libtensorflow is missing\\nmore")', {}],
      "and is forced": [
        'throw new Error("libtensorflow is missing\\nmore")',
        { LUVIT_BACKEND: "tensorflow" },
      ],
    };
    for (const [name, [content, environment]] of Object.entries(cases)) {
      writeFileSync(join(addon, "index.js"), content ?? "");
      const {
        LUVIT_BACKEND: _,
        TF_CPP_MIN_LOG_LEVEL: __,
        TF_FORCE_GPU_ALLOW_GROWTH: ___,
        ...others
      } = process.env;
      const ran = spawnSync(process.execPath, ["-e", says], {
        encoding: "utf8",
        env: { ...others, ...environment, NODE_PATH: tmp },
      });
      calls.note(name, [ran.status, ...ran.stdout.trim().split("\n")]);
    }
    calls.approve("core/tensorflow");
  });
});
