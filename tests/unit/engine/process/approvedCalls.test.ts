import { statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { LuvitError } from "../../../../src/core/errors";
import { identityOf } from "../../../../src/core/fileIdentity";
import { Channel } from "../../../../src/engine/process/channel";
import { blamesMemory, type Death, describeDeath } from "../../../../src/engine/process/death";
import type { EngineProcess } from "../../../../src/engine/process/engineProcess";
import { environmentFor } from "../../../../src/engine/process/engines";
import { engineEnvironment, launcherDescriptor } from "../../../../src/engine/process/environment";
import { openIn } from "../../../../src/engine/process/executor";
import { type Frame, FrameReader, framePieces, PIECE_BYTES } from "../../../../src/engine/process/frames";
import { EngineHost } from "../../../../src/engine/process/host";
import { loadState } from "../../../../src/engine/process/loadState";
import { groupFiles, memoryLimit, memoryOf, oomKills } from "../../../../src/engine/process/memory";
import {
  packError,
  packPrograms,
  unpackError,
  unpackPrograms,
} from "../../../../src/engine/process/messages";
import type { Graph } from "../../../../src/graph/ir";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";

const GB = 2 ** 30;
const fileIdentityOf = (path: string) => identityOf(statSync(path));

test("why a process died, and what it is told of the environment, are approved", async () => {
  const calls = new Calls();
  const dead: Death = {
    what: "the x engine",
    exitCode: 3,
    signal: null,
    oomBefore: {},
    oomAfter: {},
    unfinished: [],
    output: "",
  };
  const die = (name: string, change: Partial<Death>) =>
    calls.does(name, () => {
      const text = describeDeath({ ...dead, ...change });
      return [text, blamesMemory(text)];
    });
  await die("exited", {});
  for (const signal of ["SIGABRT", "SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP", "SIGTERM", "SIGINT"])
    await die(signal, { exitCode: null, signal });
  for (const output of [
    "std::bad_alloc",
    "Out of Memory!",
    "Cannot allocate memory",
    "JavaScript heap allocation failed",
    "failed to allocate 3 bytes",
    "fine",
  ])
    await die(`wrote ${output}`, { output });
  await die("aborted for memory", { exitCode: null, signal: "SIGABRT", output: "bad_alloc" });
  await die("a fault before all", {
    fault: "it could not be started (x)",
    exitCode: null,
    signal: "SIGKILL",
  });
  const killed = (name: string, change: Partial<Death>) =>
    die(`killed: ${name}`, { exitCode: null, signal: "SIGKILL", ...change });
  await killed("nothing known", {});
  await killed("group rose", { oomBefore: { group: 1, machine: 1 }, oomAfter: { group: 2, machine: 1 } });
  await killed("group came", { oomBefore: {}, oomAfter: { group: 1 } });
  await killed("machine rose, group did not", {
    oomBefore: { group: 1, machine: 1 },
    oomAfter: { group: 1, machine: 2 },
  });
  await killed("machine rose, no group", { oomBefore: { machine: 1 }, oomAfter: { machine: 2 } });
  await killed("neither rose", { oomBefore: { group: 1, machine: 1 }, oomAfter: { group: 1, machine: 1 } });
  for (const resident of [89 * GB, 90 * GB, 91 * GB])
    for (const memoryLimit of [100 * GB, undefined]) {
      await killed(`${resident / GB} of ${(memoryLimit ?? 0) / GB}`, {
        memory: { resident, peak: 95 * GB },
        memoryLimit,
      });
      await killed(`${resident / GB} of ${(memoryLimit ?? 0) / GB}, machine rose`, {
        memory: { resident, peak: 95 * GB },
        memoryLimit,
        oomBefore: { group: 0, machine: 0 },
        oomAfter: { group: 0, machine: 1 },
      });
    }
  for (const count of [1, 3, 4, 6])
    await die(`${count} unfinished`, { unfinished: Array.from({ length: count }, (_, i) => `run ${i}`) });
  await die("long output", {
    output: `\n${Array.from({ length: 15 }, (_, i) => `line ${i}`).join("\n")}\n 3: 0x10e91f1 v8::internal\n10: 0xabc x\n11: abc\n\n`,
    memory: { resident: 1.234 * GB, peak: 2 * GB },
  });
  await die("blank output", { output: " \n " });
  calls.title("environment");
  const values = [
    "PATH",
    "Path",
    "PATHEXT",
    "HOME",
    "USERPROFILE",
    "HOMEDRIVE",
    "HOMEPATH",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "COMSPEC",
    "NUMBER_OF_PROCESSORS",
    "TEMP",
    "TMP",
    "TMPDIR",
    "LANG",
    "LANGUAGE",
    "TZ",
    "DISPLAY",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_V8_COVERAGE",
    "UV_THREADPOOL_SIZE",
    "GLIBC_TUNABLES",
    "NODE_ENV",
    "SHELL",
    "USER",
    "LC_ALL",
    "LD_PRELOAD",
    "DYLD_X",
    "PROCESSOR_X",
    "MALLOC_X",
    "OMP_X",
    "GOMP_X",
    "EIGEN_X",
    "KMP_X",
    "MKL_X",
    "OPENBLAS_X",
    "ONEDNN_X",
    "DNNL_X",
    "CUDA_X",
    "CUDNN_X",
    "CUBLAS_X",
    "NCCL_X",
    "NVIDIA_X",
    "ROCM_X",
    "HIP_X",
    "HSA_X",
    "VK_X",
    "DAWN_X",
    "WAYLAND_X",
    "XDG_X",
    "MESA_X",
    "TF_X",
    "XLA_X",
    "ORT_X",
    "LUVIT_X",
    "cuda_x",
    "CUDA",
    "XCUDA_X",
    "HF_HOME",
    "AWS_X",
    "CUDA_TOKEN",
    "LUVIT_SECRET",
    "TF_PASSWORD",
    "ORT_CREDENTIALS",
    "XDG_AUTH",
    "TF_API_KEY",
    "TF_APIKEY",
    "KEY_X",
    "TF_KEY",
    "TF_KEYS",
    "TF_MONKEY",
    "HF_TOKEN",
    "XAUTHORITY",
    "OMPI_X",
    "OPAL_X",
    "ORTE_X",
    "PRTE_X",
    "PMI_RANK",
    "PMIX_X",
    "MPI_X",
    "MPICH_X",
    "MPIR_X",
    "MPIEXEC_X",
    "HYDRA_X",
    "I_MPI_X",
    "UCX_X",
    "FI_X",
    "HFI_X",
    "PSM2_X",
    "HWLOC_X",
    "SLURM_STEP_ID",
    "SLURM_PROCID",
    "SLURM_NTASKS",
    "SLURM_JOB_ID",
    "SLURM_JOBID",
    "SLURM_LOCALID",
    "SLURM_NODEID",
    "SLURM_NODELIST",
    "SLURM_MPI_X",
    "SLURM_PMI_X",
    "SLURM_CLUSTER_NAME",
  ];
  const all = Object.fromEntries(values.map((name) => [name, "v"]));
  calls.note("alone", Object.keys(engineEnvironment(all)).join(" "));
  const workers = { ...all, OMPI_COMM_WORLD_SIZE: "4", OMPI_COMM_WORLD_RANK: "2" };
  calls.note(
    "one of four, besides",
    Object.keys(engineEnvironment(workers))
      .filter((name) => !(name in engineEnvironment(all)))
      .join(" "),
  );
  await calls.of(engineEnvironment, { PATH: undefined, HOME: "", LANG: "é" });
  for (const descriptor of [undefined, "", "7", "12", "-1", "x", "7x", "1.5"])
    await calls.of(launcherDescriptor, { PMI_FD: descriptor });
  for (const [engine, options] of [
    ["onnxruntime", {}],
    ["onnxruntime", { threads: 3, provider: "webgpu" }],
    ["tensorflow", {}],
    ["tensorflow", { threads: 3 }],
    ["tensorflow", { precision: "float16" }],
  ] as const)
    await calls.does(`${engine} ${JSON.stringify(options)}`, () =>
      Object.keys(environmentFor(engine, options as object))
        .filter((name) => name !== "LD_LIBRARY_PATH")
        .sort(),
    );
  calls.note("onnxruntime's values", environmentFor("onnxruntime", {}));
  calls.title("memory");
  for (const text of [
    "",
    "0::/user.slice/a",
    "3:cpu,memory:/docker/x\n0::/y\n",
    "3:cpuset:/z\n2:memory:/",
    "0:name:/q\n5:memoryx:/r",
    "garbage",
  ])
    await calls.of(groupFiles, text);
  calls.note("of a process that is none", memoryOf(2 ** 30));
  calls.note(
    "of this one",
    Object.values(memoryOf(process.pid) ?? { resident: 1, peak: 2 }).every((bytes) => bytes > 0),
  );
  const own = memoryOf(process.pid);
  calls.note("no more than the peak", own === undefined || own.resident <= own.peak);
  const most = 1024 * process.resourceUsage().maxRSS;
  calls.note(
    "the peak is the most that was resident",
    own === undefined || Math.abs(own.peak - most) < 0.1 * most,
  );
  calls.note("limit", memoryLimit() > 2 ** 20);
  calls.note("kills", Object.keys(oomKills()));
  calls.approve("engine/process/death");
});

test("frames, messages and programs that cross are approved", async () => {
  const calls = new Calls();
  const frame = {
    message: { id: 3, é: "漢" },
    arrays: {
      a: Float32Array.of(1.5, -2),
      none: new Int32Array(0),
      b: Uint8Array.of(7),
      c: Int32Array.of(-9),
    },
  };
  calls.note(
    "pieces",
    framePieces(frame)
      .map((piece) => Buffer.from(piece).toString("latin1"))
      .map((text) => text.length),
  );
  calls.note("bytes", Buffer.concat(framePieces(frame)));
  calls.note("limits", PIECE_BYTES);
  const long = new Float32Array(PIECE_BYTES / 2 + 1);
  calls.note(
    "long",
    framePieces({ message: null, arrays: { long } }).map(({ length }) => length),
  );
  for (const array of [new Float64Array(1), [1], new DataView(new ArrayBuffer(1)), null])
    await calls.does(`array ${Object.prototype.toString.call(array)}`, () =>
      framePieces({ message: 1, arrays: { x: array as never } }),
    );
  const read = (name: string, bytes: Uint8Array, step = 1, most = 1000) =>
    calls.does(name, () => {
      const frames: Frame[] = [];
      const reader = new FrameReader((one) => frames.push(one), most);
      for (let at = 0; at < bytes.length; at += step) reader.take(bytes.subarray(at, at + step));
      reader.end();
      return frames;
    });
  const bytes = Buffer.concat(framePieces(frame));
  for (const step of [1, 3, 8, 1000]) await read(`by ${step}`, bytes, step);
  await read("two", Buffer.concat([bytes, bytes]), 7);
  await read("nothing", new Uint8Array(0));
  await read("no arrays", Buffer.concat(framePieces({ message: [1], arrays: {} })));
  for (const length of [4, 8, 20, bytes.length - 1])
    await read(`cut to ${length}`, bytes.subarray(0, length));
  const made = (text: string, mark = "LUVT") => {
    const prefix = Buffer.alloc(8);
    prefix.write(mark, "latin1");
    prefix.writeUInt32LE(Buffer.byteLength(text), 4);
    return Buffer.concat([prefix, Buffer.from(text)]);
  };
  calls.note("mark", bytes.subarray(0, 4).toString("latin1"));
  await read("another mark", made("{}", "XXXX"));
  await read("an empty header", made(""));
  const huge = Buffer.from(bytes.subarray(0, 8));
  huge.writeUInt32LE(2 ** 26 + 1, 4);
  await read("a long header", huge);
  for (const header of [
    "[]",
    "null",
    "{}",
    '{"arrays":3}',
    '{"arrays":[["a","float32"]]}',
    '{"arrays":[["a","float64",1]]}',
    '{"arrays":[[3,"float32",1]]}',
    '{"arrays":[["a","float32",-1]]}',
    '{"arrays":[["a","float32",1.5]]}',
    '{"arrays":[["a","constructor",1]]}',
    '{"arrays":[["a","float32",250],["b","uint8",1]]}',
    '{"arrays":[["a","float32",0]]}',
  ])
    await read(`header ${header}`, made(header, bytes.subarray(0, 4).toString("latin1")));
  await calls
    .does("no JSON", () => {
      const reader = new FrameReader(() => {}, 9);
      reader.take(made("{", bytes.subarray(0, 4).toString("latin1")));
    })
    .then(() => calls.lines.push(calls.lines.pop()!.replace(/JSON: .*/, "JSON: …")));
  await calls.does("room", () => {
    const reader = new FrameReader(() => {}, 2 ** 30);
    const rooms = [reader.room().length];
    reader.take(bytes.subarray(0, 3));
    rooms.push(reader.room().length);
    const own = framePieces({ message: 1, arrays: { long } });
    reader.take(bytes.subarray(3));
    reader.take(own[0]);
    rooms.push(reader.room().length);
    return rooms;
  });
  calls.title("errors");
  for (const thrown of [
    new Error("e"),
    new TypeError("t"),
    new LuvitError("bad-file", "f"),
    Object.assign(new Error("c"), { code: "ENOENT" }),
    "text",
    undefined,
    3,
  ])
    await calls.does(`packed ${thrown}`, () => {
      const { stack, ...rest } = packError(thrown);
      return [rest, stack !== undefined];
    });
  for (const error of [
    { name: "LuvitError", code: "bad-file", message: "m" },
    { name: "LuvitError", code: "unknown", message: "m" },
    { name: "LuvitError", code: "toString", message: "m" },
    { name: "LuvitError", message: "m" },
    { name: "Error", message: "m" },
    { name: "TypeError", message: "m" },
    { name: "Error", code: "ENOENT", message: "m" },
    { name: "Error", message: "" },
    { name: "RangeError", code: "X", message: "" },
  ])
    await calls.does(`unpacked ${JSON.stringify(error)}`, () => {
      const made = unpackError(error, "it could not run");
      return [made, made instanceof LuvitError];
    });
  for (const code of [
    "bad-argument",
    "bad-file",
    "refused-file",
    "missing-file",
    "shape-mismatch",
    "key-mismatch",
    "non-finite",
    "bad-image",
    "bad-dataset",
    "engine",
    "engine-died",
    "network",
    "no-access",
    "interrupted",
  ])
    await calls.does(`code ${code}`, () => unpackError({ name: "LuvitError", code, message: "m" }, "w").code);
  calls.title("programs");
  const value = (id: number) => ({ id, shape: [2], dtype: "float32" as const });
  const attributes = {
    plain: 1,
    nan: Number.NaN,
    inf: Number.POSITIVE_INFINITY,
    minus: Number.NEGATIVE_INFINITY,
    zero: -0,
    list: [1, [Number.NaN, -0]],
    inner: { deep: Number.NaN, text: "NaN" },
    none: null,
    yes: true,
    odd: { $number: "7" },
  };
  const graph = {
    name: "g",
    inputs: [],
    state: [],
    constants: [
      { value: value(5), data: Float32Array.of(1, 2) },
      { value: value(6), data: Int32Array.of(3) },
    ],
    nodes: [{ op: "X", inputs: [5], inputNames: ["x"], outputs: [value(7)], attributes }],
    outputs: [{ name: "y", id: 7 }],
  } as unknown as Graph;
  const packed = packPrograms({ one: { graph }, two: { graph, keep: ["y"] } as never });
  calls.note("packed", JSON.stringify(packed.programs.one));
  calls.note("arrays", packed.arrays);
  calls.note("beside", Object.keys(packed.programs.two));
  calls.note(
    "unpacked",
    unpackPrograms(JSON.parse(JSON.stringify(packed.programs)), packed.arrays).two.graph.nodes[0].attributes,
  );
  calls.note(
    "constants",
    unpackPrograms(JSON.parse(JSON.stringify(packed.programs)), packed.arrays).one.graph.constants,
  );
  calls.approve("engine/process/frames");
});

const open: Socket[] = [];
after(() => {
  for (const socket of open) socket.destroy();
});

/** Two ends of one connection. */
async function pair(): Promise<[Socket, Socket]> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const near = connect((server.address() as { port: number }).port, "127.0.0.1");
  const far = await new Promise<Socket>((done) => server.once("connection", done));
  server.close();
  open.push(near, far);
  return [near, far];
}

const settled = (turns = 30) => new Promise((resolve) => setTimeout(resolve, turns));

test("channels are approved", async () => {
  const calls = new Calls();
  const ends = async () => {
    const [a, b] = await pair();
    const heard: unknown[] = [];
    const near = Channel.over(a, {
      onFrame: (frame) => heard.push(["near", frame.message, Object.keys(frame.arrays)]),
      onEnd: (error) => heard.push(["near ends", error?.message]),
    });
    const far = Channel.over(b, {
      onFrame: (frame) =>
        heard.push(["far", frame.message, Object.values(frame.arrays).map(({ length }) => length)]),
      onEnd: (error) => heard.push(["far ends", error?.message]),
    });
    return { a, b, near, far, heard };
  };
  {
    const { near, far, heard } = await ends();
    const sent = [
      near.send({ message: 1, arrays: { large: new Float32Array(700_000) } }),
      near.send({ message: 2, arrays: {} }),
      far.send({ message: "back", arrays: { x: Uint8Array.of(1) } }),
    ];
    await Promise.all(sent);
    while (heard.length < 3) await settled(5);
    calls.note("in order", [
      heard.filter((one) => (one as string[])[0] === "far"),
      heard.filter((one) => (one as string[])[0] === "near"),
    ]);
    await calls.once("what cannot be sent", () =>
      near.send({ message: 1, arrays: { x: new Float64Array(1) as never } }),
    );
    await near.send({ message: "after", arrays: {} });
    while (heard.length < 4) await settled(5);
    near.close();
    while (heard.length < 6) await settled(5);
    calls.note("closed", heard.slice(3).map(String).sort());
    await calls.once("sent after the end", () => near.send({ message: 3, arrays: {} }));
    near.ref();
    near.unref();
  }
  {
    const { b, heard } = await ends();
    b.write("no frame at all");
    while (heard.length < 2) await settled(5);
    calls.note(
      "nonsense",
      heard.map(String).filter((one) => one.startsWith("near")),
    );
  }
  {
    const { b, heard } = await ends();
    b.end(Buffer.concat(framePieces({ message: 1, arrays: {} })).subarray(0, 10));
    while (heard.length < 2) await settled(5);
    calls.note(
      "cut off",
      heard.map(String).filter((one) => one.startsWith("near")),
    );
  }
  calls.approve("engine/process/channel");
});

test("what a host answers, what an executor asks for, and states from files are approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const host = new EngineHost("onnxruntime");
  for (const request of [
    { act: "run", executor: 5, program: "x", options: {} },
    { act: "dispose", executor: 0 },
    { act: "read", executor: 1, names: [] },
  ])
    await calls.does(JSON.stringify(request), async () => {
      const { message, arrays } = await host.answer({ message: { id: 9, ...request }, arrays: {} });
      const { id, error } = message as {
        id: number;
        error?: { code?: string; name: string; message: string };
      };
      return [id, error?.name, error?.code, error?.message, arrays];
    });
  calls.title("an executor");
  const value = (id: number, length: number) => ({ id, shape: [length], dtype: "float32" as const });
  const graph = {
    name: "g",
    inputs: [{ name: "x", value: value(0, 2) }],
    state: [
      { name: "w", value: value(1, 2) },
      { name: "frozen", value: value(2, 3) },
      { name: "large", value: value(3, 2 ** 24) },
    ],
    constants: [],
    nodes: [{ op: "Add", inputs: [0, 1], inputNames: ["a", "b"], outputs: [value(4, 2)], attributes: {} }],
    outputs: [
      { name: "y", id: 4 },
      { name: "w", id: 4 },
    ],
  } as unknown as Graph;
  const asked: unknown[] = [];
  let failing: Error | undefined;
  const near = {
    alive: true,
    pid: process.pid,
    executors: new Set<number>(),
    ask: async (task: string, request: object, arrays: Record<string, Float32Array> = {}) => {
      const { programs, path, files, ...rest } = request as {
        programs?: object;
        path?: string;
        files?: unknown[];
        executor: number;
      };
      asked.push(
        [
          task,
          { ...rest, executor: rest.executor > 1 ? "?" : "n" },
          programs ? Object.keys(programs) : "",
          Object.entries(arrays).map(([name, { length }]) => `${name} ${length}`),
          path?.startsWith("/"),
          files?.length,
        ].filter((part) => part !== "" && part !== undefined),
      );
      if (failing) throw failing;
      return {
        id: 1,
        device: 77,
        description: { engine: "onnxruntime", device: "cpu", precision: "float32", threads: 3 },
        arrays: Object.fromEntries(
          ((request as { names?: string[] }).names ?? ["y"]).map((name) => [name, new Float32Array(2)]),
        ),
        broken: ["b"],
        left: ["l"],
        differing: ["d"],
        same: true,
      };
    },
  };
  const engine = await openIn(
    near as unknown as EngineProcess,
    { train: { graph }, other: { graph } } as never,
    { threads: 3 },
  );
  calls.note("executors", near.executors.size);
  calls.note("opened", asked.splice(0));
  const ask = async (name: string, call: () => Promise<unknown>) => {
    await calls.once(name, call);
    calls.note("  asked", asked.splice(0));
    calls.note("  traffic", engine.traffic);
  };
  calls.note("description", engine.description);
  await ask("run", () => engine.run("train", { x: Float32Array.of(1, 2) }));
  await ask("run with options", () =>
    engine.run("other", { x: Float32Array.of(1, 2) }, { keep: ["y"] } as never),
  );
  await ask("read what changes", () => engine.readState());
  await ask("read by names", () => engine.readState(["frozen", "w", "large"]));
  await ask("write", () =>
    engine.writeState({
      w: new Float32Array(2),
      frozen: new Float32Array(3),
      large: new Float32Array(2 ** 24),
    }),
  );
  await ask("write what does not fit", () =>
    engine.writeState({ w: new Float32Array(1), frozen: new Float32Array(3) }),
  );
  await ask(
    "save",
    () => engine.saveState!("a/b", new Map([["w", { start: 0, end: 8 }]])) as Promise<unknown>,
  );
  await ask(
    "load",
    () =>
      engine.loadState!(
        new Map([["w", { path: "x", start: 0, end: 8, identity: "i", dtype: "F32" }]]),
      ) as Promise<unknown>,
  );
  await ask("align", () => engine.alignState!() as Promise<unknown>);
  await ask("same", () => engine.sameState!() as Promise<unknown>);
  failing = new LuvitError("engine-died", "gone");
  await ask("run on a dead one", () => engine.run("train", {}));
  near.alive = false;
  await ask("dispose of a dead one", () => engine.dispose());
  calls.note("executors", near.executors.size);
  await ask("run after", () => engine.run("train", {}));
  await ask("dispose again", () => engine.dispose());
  calls.title("states from files");
  const path = join(folder, "s");
  writeFileSync(path, Buffer.from(Float32Array.of(1, 2, 3, 4, 5, 6).buffer));
  writeFileSync(join(folder, "half"), Uint8Array.of(0, 60, 0, 192, 128, 63, 0, 192));
  const written: unknown[] = [];
  const target = {
    writeState: async (values: Record<string, Float32Array>) =>
      void written.push(Object.entries(values).map(([name, numbers]) => `${name} ${[...numbers]}`)),
  };
  const load = async (name: string, places: [string, object][]) => {
    await calls.once(name, () =>
      loadState(
        target as never,
        places.map(([entry, place]) => [
          entry,
          { path, identity: fileIdentityOf(path), dtype: "F32", start: 0, end: 8, ...place },
        ]) as never,
      ),
    );
    calls.note("  written", written.splice(0));
  };
  await load("two of one file", [
    ["a", {}],
    ["b", { start: 16, end: 24 }],
  ]);
  const half = join(folder, "half");
  await load("halves", [
    ["a", { path: half, identity: fileIdentityOf(half), dtype: "F16", end: 4 }],
    ["b", { path: half, identity: fileIdentityOf(half), dtype: "BF16", start: 4, end: 8 }],
  ]);
  await load("another identity", [
    ["a", { identity: "x" }],
    ["b", {}],
  ]);
  await load("no file", [
    ["a", { path: join(folder, "none") }],
    ["b", { path: half, identity: fileIdentityOf(half), dtype: "F16" }],
  ]);
  await load("past its end", [["a", { start: 20, end: 28 }]]);
  await load("nothing", []);
  calls.approve("engine/process/executor");
});
