import { createRequire } from "node:module";
import { join } from "node:path";
import { after, afterEach, before, mock, test } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import { packageVersion } from "../../../src/core/packageRoot";
import { startBackend } from "../../../src/core/tf";
import { joinWorkers, leaveWorkers, ready, setEngineDefaults } from "../../../src/engine";
import { devicesFor, openEngine, startEngine } from "../../../src/engine/open";
import { Calls } from "../../support/calls";
import { temporaryFolder } from "../../support/temporaryFolder";
import { GraphWriter, withOnnxRuntime } from "./support";

/*
 * What is approved: which engines and devices are tried in turn, what is said of those that were not taken, and what becomes
 * of workers. Processes and GPUs are imitated.
 */

const load = createRequire(__filename);
const probe = load("../../../src/engine/gpu/probe") as typeof import("../../../src/engine/gpu/probe");
const processes = load("../../../src/engine/process") as typeof import("../../../src/engine/process");

before(() => {
  process.env.LUVIT_ENGINE_CACHE = join(temporaryFolder(), "none");
  return startBackend({ backend: "cpu" });
});

after(() => {
  delete process.env.LUVIT_ENGINE_CACHE;
});

afterEach(() => {
  mock.restoreAll();
  setEngineDefaults({});
  for (const name of ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"]) delete process.env[name];
});

const withGpu = (usable: boolean, reason: string) =>
  mock.method(probe, "probeGpu", () => Promise.resolve({ usable, reason }));

/** Engine processes that take programs or fail, one after the other; `y` is what a run gives. */
function opening(outcomes: readonly (Error | undefined)[], y = [6, -2]): string[] {
  const asked: string[] = [];
  let count = 0;
  mock.method(
    processes,
    "openInEngineProcess",
    (engine: string, _: unknown, options: { provider?: string }) => {
      asked.push(`open ${engine} ${JSON.stringify(options)}`);
      const failure = outcomes[count++];
      if (failure) return Promise.reject(failure);
      const description = { engine, device: options.provider ?? "cpu", precision: "float32" };
      const note =
        (what: string, result: unknown) =>
        async (...given: unknown[]) => {
          asked.push(`${what} ${JSON.stringify(given)}`);
          return result;
        };
      return Promise.resolve({
        description,
        writeState: note("write", undefined),
        run: note("run", { y: Float32Array.from(y) }),
        dispose: note("dispose", undefined),
      });
    },
  );
  return asked;
}

function programs() {
  const g = new GraphWriter();
  g.output("y", g.node("Neg", { x: g.input("x", [1]) }, [{ shape: [1] }])[0]);
  return { step: { graph: g.finish() } };
}

const died = () => new LuvitError("engine-died", "it was killed\nand more");
const refused = () => new LuvitError("engine", "no such op\nand more");

test("engines and devices that are tried in turn are approved", withOnnxRuntime, async () => {
  const calls = new Calls();
  const gpu = async (usable: boolean, reason: string, options: object) => {
    withGpu(usable, reason);
    await calls.once(`devices ${usable} ${JSON.stringify(options)}`, () =>
      devicesFor({ engine: "onnxruntime", options, demanded: false, passedOver: [] } as never),
    );
    mock.restoreAll();
  };
  for (const options of [
    {},
    { precision: "float16" },
    { provider: "cpu" },
    { threads: 2 },
    { precision: "float32" },
  ]) {
    await gpu(true, "3 times", options);
    await gpu(false, "there is none", options);
  }
  const open = async (title: string, usable: boolean, outcomes: (Error | undefined)[], wish: object = {}) => {
    withGpu(usable, "so it is");
    const asked = opening(outcomes);
    await calls.once(title, async () => {
      const engine = await openEngine(programs(), wish);
      const { description } = engine;
      await engine.dispose();
      return description;
    });
    calls.note(" ", asked);
    mock.restoreAll();
  };
  await open("the first takes them", true, []);
  await open("no GPU", false, []);
  await open("the GPU refuses", true, [refused()]);
  await open("the GPU dies", true, [died()]);
  await open("both refuse", true, [refused(), refused()]);
  await open("the CPU refuses", false, [refused()]);
  await open("the CPU dies", false, [died()]);
  await open("the GPU refuses and the CPU dies", true, [refused(), died()]);
  await open("demanded and refused", false, [refused()], { engine: "onnxruntime", provider: "cpu" });
  await open("demanded on both and refused", true, [refused(), refused()], { engine: "onnxruntime" });
  await open("only an engine has it", false, [refused()], { frozen: "int8" });
  await open("a float16 that cannot be had", false, [], { precision: "float16" });
  await open("a float16 that can", true, [], { precision: "float16" });
  await open("op by op", true, [], { engine: "eager" });
  calls.title("started");
  const started: string[] = [];
  mock.method(
    processes,
    "startEngineProcess",
    (engine: string, options: object) => void started.push(`${engine} ${JSON.stringify(options)}`),
  );
  for (const wish of [{}, { engine: "eager" }, { threads: 3 }, { engine: "eager", precision: "bfloat16" }])
    await calls.once(JSON.stringify(wish), () => startEngine(wish as never));
  calls.note(" ", started);
  mock.restoreAll();
  calls.title("ready");
  const said = async (
    title: string,
    usable: boolean,
    outcomes: (Error | undefined)[],
    options: object,
    y?: number[],
  ) => {
    withGpu(usable, "so it is");
    const asked = opening(outcomes, y);
    await calls.once(title, async () => {
      const status = await ready({ backend: "cpu", ...options } as never);
      return [
        `${status}`.replace(packageVersion(), "VERSION").replace(`${status.cells}`, "CELLS"),
        status.passedOver.filter((line) => !line.startsWith("tensorflow") && !line.includes("backend")),
      ];
    });
    calls.note(" ", asked);
    mock.restoreAll();
    setEngineDefaults({});
  };
  await said("a GPU", true, [], {});
  await said("no GPU", false, [], {});
  await said("a GPU that refuses", true, [refused()], {});
  await said("another number", false, [], {}, [6, -2.5]);
  await said("another first number", false, [], {}, [5, -2]);
  await said("op by op", false, [], { engine: "eager" });
  await said("unknown options", false, [], { engine: "abacus", threads: 0, more: 1 });
  calls.approve("engine, opening");
});

test("workers that join, sum, gather and leave are approved", withOnnxRuntime, async () => {
  const calls = new Calls();
  const asked: string[] = [];
  const ends = process.listeners("beforeExit");
  let failing: string | undefined;
  const imitate = () => {
    withGpu(false, "there is none");
    mock.method(processes, "startEngineProcess", (engine: string, options: object) => ({
      async ask(task: string, request: { act: string }, arrays: Record<string, Uint8Array> = {}) {
        const lengths = Object.entries(arrays).map(
          ([name, { length }]) => `${name} ${request.act === "gather" ? "serialized" : length}`,
        );
        asked.push(`${engine} ${JSON.stringify(options)}: ${task} ${JSON.stringify(request)} ${lengths}`);
        if (request.act === failing) throw new LuvitError("engine", `${failing} failed`);
        if (request.act === "join") return { mpi: "MPI 1", arrays: {} };
        return {
          arrays:
            request.act === "sum"
              ? { numbers: arrays.numbers }
              : { 0: arrays.own, 1: arrays.own, 2: arrays.own },
        };
      },
    }));
  };
  const place = (rank: number, size: number) =>
    Object.assign(process.env, { OMPI_COMM_WORLD_RANK: `${rank}`, OMPI_COMM_WORLD_SIZE: `${size}` });
  const note = async (title: string, run: () => unknown) => {
    await calls.once(title, run);
    calls.note(" ", asked.splice(0));
  };
  imitate();
  await note("alone", () => joinWorkers());
  place(1, 3);
  await note("op by op", () => joinWorkers({ engine: "eager" }));
  await note("join", async () => {
    const workers = await joinWorkers({ threads: 2 });
    return [workers!.rank, workers!.size, workers!.mpi, workers!.engine];
  });
  await note("join again", async () => {
    const [one, other] = [await joinWorkers({ threads: 2 }), await joinWorkers({ threads: 2 })];
    return one === other;
  });
  await note("join otherwise", () => joinWorkers({ threads: 3 }));
  const workers = (await joinWorkers({ threads: 2 }))!;
  await note("sum", () => workers.sum([1, 2.5, 1e300]));
  await note("gather", () => workers.gather({ a: [1, Number.NaN], b: "é" }));
  await note("leave", () => leaveWorkers());
  await note("leave again", () => leaveWorkers());
  failing = "join";
  await note("a join that fails", () => joinWorkers({ threads: 2 }));
  await note("leaving then", () => leaveWorkers());
  failing = undefined;
  await note("another join", async () => (await joinWorkers({ frozen: "int8" }))?.engine);
  failing = "leave";
  await note("leaving that fails", () => leaveWorkers());
  failing = undefined;
  const added = process.listeners("beforeExit").filter((end) => !ends.includes(end));
  calls.note("told at the end of the script", added.length);
  for (const end of added) process.off("beforeExit", end);
  calls.approve("engine, workers");
});
