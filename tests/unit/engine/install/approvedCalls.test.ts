import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import {
  ADDON,
  buildAddon,
  dropBuildFiles,
  explainBuild,
  fetchAddonSources,
  findAddon,
  placeLibraries,
  TFJS_PACKAGE,
  TFJS_VERSION,
  takeInstalledAddon,
} from "../../../../src/engine/install/addon";
import { engineName, installedEngines, MANIFEST } from "../../../../src/engine/install/cache";
import { lastLines, runCommand } from "../../../../src/engine/install/command";
import { addCudaLibraries } from "../../../../src/engine/install/cuda";
import {
  compilesAtFirstUse,
  findGpu,
  gpuProblem,
  hasNvidiaDriver,
  oneVisibleDevice,
  parseGpus,
  usableGpu,
} from "../../../../src/engine/install/gpu";
import {
  installEngine,
  makeWorkFolder,
  megabytes,
  removeEngines,
} from "../../../../src/engine/install/install";
import { cudaFolder, gpuEnvironment, loaderEnvironment } from "../../../../src/engine/install/loader";
import { installMpi } from "../../../../src/engine/install/mpi";
import { explainNpm, findNodeGyp, findNpm, npm } from "../../../../src/engine/install/npm";
import { findPython, type Python } from "../../../../src/engine/install/python";
import { installStock } from "../../../../src/engine/install/stock";
import { explainNoGpu, verifyAddon } from "../../../../src/engine/install/verify";
import { downloadWheel, explainPip, unpackWheel } from "../../../../src/engine/install/wheel";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";

const skip = process.platform === "linux" ? false : "its commands are shell scripts";

function put(path: string, text: string, mode = 0o644): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

/** A command that does as a shell's lines say. */
const script = (path: string, lines: string) => put(path, `#!/bin/sh\n${lines}\n`, 0o755);

/** Runs with some of the environment changed. */
async function within<Result>(
  change: Record<string, string | undefined>,
  body: () => Promise<Result> | Result,
): Promise<Result> {
  const before = Object.fromEntries(Object.keys(change).map((name) => [name, process.env[name]]));
  const set = (values: Record<string, string | undefined>) => {
    for (const [name, value] of Object.entries(values))
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
  };
  set(change);
  try {
    return await body();
  } finally {
    set(before);
  }
}

test("what tools say, and what is made of it, is approved", async () => {
  const calls = new Calls();
  for (const [text, count] of [
    ["", 12],
    ["a\n\n b \r\nc\rd\n", 12],
    ["a\nb\nc", 2],
    [Array.from({ length: 15 }, (_, i) => `l${i}`).join("\n"), undefined],
    [" \n\t\n", 3],
  ] as const)
    await calls.of(lastLines, text, count);
  await calls.of(
    parseGpus,
    "0, NVIDIA H100 80GB HBM3, 9.0\r\n 12,  A, B, 10.2 \nx, A, 1.0\n1, 1.0\n2, A, 9\n\n",
  );
  const gpu = (major: number, minor = 0, index = 0) => ({
    index,
    name: `G${index}`,
    capability: [major, minor] as const,
  });
  for (const [major, minor] of [
    [5, 9],
    [6, 0],
    [8, 9],
    [9, 0],
    [9, 9],
    [10, 0],
  ])
    await calls.does(`capability ${major}.${minor}`, () => [
      gpuProblem(gpu(major, minor)),
      compilesAtFirstUse(gpu(major, minor)),
    ]);
  const gpus = [gpu(8, 0, 0), gpu(5, 0, 1), gpu(9, 0, 3)];
  for (const visible of [undefined, "", "0", "1", "3", "2", " 3 ,0", "-1", "GPU-abc", "GPU-abc,3", ",0"])
    await calls.does(`visible ${visible}`, () => usableGpu(gpus, visible).name);
  await calls.does("none at all", () => usableGpu([], undefined));
  await calls.does("by name, none", () => usableGpu([], "GPU-abc"));
  for (const visible of [undefined, "", "0", "2, 5", "2,5,7", "a,,b"])
    for (const worker of [undefined, 0, 1, 4]) await calls.of(oneVisibleDevice, visible, worker);
  for (const files of [[], [__filename], ["/none", __filename], ["/none"]])
    await calls.does(`driver in ${files.length}`, () => hasNvidiaDriver(files));
  const explained: string[] = [
    "E404",
    "ENOSPC",
    "ENOTFOUND registry",
    "network ENOSPC",
    "other",
    "make: command not found",
    "not found: make",
    "g++: not found",
    "cc1plus: No such file",
    "find Python",
    "distutils",
    "No space left",
    "fatal error: x/y.h: No such file",
    "headers",
    "response downloading",
    "headers g++ not found",
    "clang: error",
    "No matching distribution",
    "ProxyError No matching distribution",
    "Could not find a version",
    "403 Forbidden",
    "Max retries",
    "CUDA_ERROR_NO_DEVICE",
    "driver version is insufficient",
    "Could not find cuda drivers",
    "Cannot dlopen some GPU libraries",
    "compute capability",
    "verified {}\nlast",
  ];
  for (const output of explained)
    await calls.does(output, () =>
      [
        explainNpm("n", { status: 1, output }),
        explainBuild({ status: 1, output }),
        explainPip("r", output, { version: "3.9" }),
        explainNoGpu(gpu(8), output),
      ].map(({ message }) =>
        message.split("\n")[0].replace(`${process.platform} ${process.arch}`, "<machine>"),
      ),
    );
  for (const bytes of [0, 499_999, 500_000, 1.5e9]) await calls.of(megabytes, bytes);
  await calls.of(engineName, { variant: "cuda", tensorflow: "2.1", platform: "linux", arch: "x64" } as never);
  calls.note("names", [TFJS_PACKAGE, TFJS_VERSION, ADDON.replaceAll("\\", "/"), MANIFEST]);
  calls.approve("engine/install/words");
});

test("engines of the cache, and folders to work in, are approved", { skip }, async () => {
  const cache = temporaryFolder();
  const calls = new Calls({ cache });
  const engine = (name: string, manifest: object, addon = "lib/a.node") => {
    put(
      join(cache, name, MANIFEST),
      JSON.stringify({
        addon: "lib/a.node",
        installed: "2024-01-01",
        platform: process.platform,
        arch: process.arch,
        variant: "cpu",
        tensorflow: "2.1",
        tfjs: "4",
        bytes: 3,
        ...manifest,
      }),
    );
    if (addon) put(join(cache, name, addon), "x");
  };
  await within({ LUVIT_ENGINE_CACHE: cache }, async () => {
    await calls.does("none", () => installedEngines());
    engine("old", {});
    engine("new", { installed: "2024-06-01" });
    engine("other", { platform: "amiga", installed: "2024-03-01" });
    engine("arch", { arch: "m68k", installed: "2023-03-01" });
    engine("no addon", {}, "");
    engine("addon no text", { addon: 3 });
    engine("no day", { installed: undefined });
    put(join(cache, "damaged", MANIFEST), "{");
    put(join(cache, "null", MANIFEST), "null");
    put(join(cache, "file"), "x");
    const names = (options?: { here?: boolean }) =>
      installedEngines(options).map(({ name, folder, bytes }) => [name, folder, bytes]);
    await calls.does("here", () => names());
    await calls.does("of all machines", () => names({ here: false }));
    await calls.once("remove unknown ones", () => removeEngines(["old", "x", "y"]));
    await calls.once("remove one", () => removeEngines(["old"]));
    await calls.once("remove none", () => removeEngines([]));
    await calls.does("then", () => names({ here: false }).map(([name]) => name));
    await calls.once("remove all", () => removeEngines());
    await calls.does("then", () => names({ here: false }));
    await calls.once("remove of none", () => removeEngines(["old"]));
    calls.note("left", readdirSync(cache).sort());
  });
  await within({ LUVIT_ENGINE_CACHE: join(cache, "none") }, () =>
    calls.does("no folder", () => [installedEngines(), removeEngines()]),
  );
  const work = join(cache, "work");
  for (const name of [".installing-999999999", `.installing-${process.ppid}`, ".installing-x", "kept"])
    put(join(work, name, "x"), "x");
  put(join(work, `.installing-${process.pid}`, "x"), "x");
  const told = (text: string) =>
    text.replaceAll(String(process.pid), "<own>").replaceAll(String(process.ppid), "<parent>");
  await calls.once("a folder", () => told(makeWorkFolder(work, 1)));
  calls.note("beside it", readdirSync(work).map(told).sort());
  calls.note("in it", readdirSync(join(work, `.installing-${process.pid}`)));
  await calls.once("too little room", () => {
    try {
      makeWorkFolder(work, 9e18);
    } catch (error) {
      throw new Error((error as Error).message.replace(/has \d+ MB/, "has … MB"));
    }
  });
  await calls.once("no place", () => {
    try {
      makeWorkFolder(join(cache, "file", "x"), 1);
    } catch (error) {
      throw new Error((error as Error).message.replace(/: E[A-Z]+.*?;/, ": …;"));
    }
  });
  calls.title("libraries");
  const folder = join(cache, "engine");
  await calls.does("cuda", () => cudaFolder(folder));
  await within({ LD_LIBRARY_PATH: "/inherited" }, () =>
    calls.does("none of its own", () => loaderEnvironment(folder)),
  );
  for (const name of ["cublas/lib/x", "cudnn/lib/y", "other/include/z"])
    put(join(folder, "deps", "nvidia", name), "");
  for (const LD_LIBRARY_PATH of [undefined, "", "/a:/b"])
    await within({ LD_LIBRARY_PATH }, () =>
      calls.does(`own before ${LD_LIBRARY_PATH}`, () => loaderEnvironment(folder)),
    );
  for (const CUDA_VISIBLE_DEVICES of [undefined, "", "3,4"])
    for (const tf32 of [undefined, true, false])
      await within({ CUDA_VISIBLE_DEVICES, OMPI_COMM_WORLD_LOCAL_RANK: undefined }, () =>
        calls.does(`GPU of ${CUDA_VISIBLE_DEVICES}, ${tf32}`, () => gpuEnvironment({ tf32 })),
      );
  const wheel = join(cache, "wheel");
  put(join(wheel, "tensorflow", "include", "h"), "h");
  await calls.once("a wheel without libraries", () => placeLibraries(wheel, join(cache, "e0")));
  put(join(wheel, "tensorflow", "libtensorflow_framework.so.2"), "f");
  await calls.once("a wheel without one", () => placeLibraries(wheel, join(cache, "e0")));
  put(join(wheel, "tensorflow", "libtensorflow_cc.so.2"), "c");
  await calls.once("a wheel", () => placeLibraries(wheel, join(cache, "e1")));
  const libraries = join(cache, "e1", "deps", "lib");
  calls.note(
    "placed",
    readdirSync(libraries)
      .sort()
      .map((name) => {
        try {
          return `${name} -> ${readlinkSync(join(libraries, name))}`;
        } catch {
          return name;
        }
      }),
  );
  calls.note("headers", readdirSync(join(cache, "e1", "deps", "include")));
  for (const name of ["lib/x", "src/y", "package.json", "node_modules/z"]) put(join(cache, "e1", name), "");
  await calls.once("drop", () => dropBuildFiles(join(cache, "e1")));
  calls.note("kept", [readdirSync(join(cache, "e1")).sort(), readdirSync(join(cache, "e1", "deps"))]);
  const pack = join(cache, "package");
  await calls.does("no addon", () => findAddon(pack));
  for (const version of ["napi-v8", "napi-v10", "napi-v9x", "napi-v11", "other"])
    mkdirSync(join(pack, "lib", version), { recursive: true });
  await calls.once("take none", () => takeInstalledAddon(pack, join(cache, "e2")));
  for (const version of ["napi-v8", "napi-v10", "napi-v9x"])
    put(join(pack, "lib", version, "tfjs_binding.node"), version);
  put(join(pack, "deps", "lib", "l"), "");
  await calls.does("an addon", () => findAddon(pack));
  await calls.once("take it", () => takeInstalledAddon(pack, join(cache, "e2")));
  calls.note("taken", [
    readFileSync(join(cache, "e2", "lib", "napi-v10", "tfjs_binding.node"), "utf8"),
    existsSync(join(cache, "e2", "deps", "lib", "l")),
    existsSync(join(pack, "deps")),
  ]);
  calls.approve("engine/install/cache");
});

test("commands, and what tools are asked, are approved", { skip }, async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder, node: process.execPath });
  const bin = join(folder, "bin");
  const log = join(folder, "log");
  const asked = () => {
    const text = existsSync(log) ? readFileSync(log, "utf8") : "";
    writeFileSync(log, "");
    return text.trim().split("\n").filter(Boolean);
  };
  const PATH = `${bin}:${process.env.PATH}`;
  await calls.once("a command", () =>
    runCommand("/bin/sh", ["-c", "echo out; sleep 0.05; echo err >&2; exit 3"]),
  );
  await calls.once("no command", () => runCommand(join(folder, "none"), []));
  await calls.once("killed", () => runCommand("/bin/sh", ["-c", "echo x; kill -9 $$"]));
  await calls.once("its folder and environment", () =>
    within({ OWN: "own" }, () =>
      runCommand("/bin/sh", ["-c", "pwd; echo $OWN $GIVEN; exit 0"], {
        cwd: folder,
        environment: { GIVEN: "g" },
      }),
    ),
  );
  await calls.once("alone", () =>
    within({ OWN: "own" }, () =>
      runCommand("/bin/sh", ["-c", 'echo "$OWN|$GIVEN"'], { environment: { GIVEN: "g" }, alone: true }),
    ),
  );
  await calls.once("what is given comes before what is there", () =>
    within({ OWN: "own" }, () =>
      runCommand("/bin/sh", ["-c", "echo $OWN"], { environment: { OWN: "given" } }),
    ),
  );
  await calls.once("no input", () => runCommand("/bin/sh", ["-c", "cat; echo end"]));
  calls.title("GPUs");
  const smi = (lines: string) => script(join(bin, "nvidia-smi"), `echo "smi $*" >> ${log}; ${lines}`);
  const find = (name: string, visible?: string) =>
    calls.once(name, () => within({ PATH, CUDA_VISIBLE_DEVICES: undefined }, () => findGpu(visible)));
  smi('echo "0, A, 8.0"; echo "1, B, 5.2"');
  await find("the first");
  calls.note("  asked", asked());
  await find("the second", "1");
  smi("echo driver broken; exit 9");
  await find("broken");
  calls.title("Python");
  const python = (name: string, version: string, pip: string) =>
    script(join(bin, name), `echo "${name} $*" >> ${log}; case "$*" in *pip*) ${pip};; *) ${version};; esac`);
  const pythons = (name: string, PYTHON?: string) =>
    calls.once(name, () => within({ PATH: bin, PYTHON }, () => findPython()));
  await pythons("none");
  python("python3", "echo 3.12", "exit 1");
  await pythons("without pip");
  python("python", "echo 3.11", "exit 0");
  await pythons("the second");
  calls.note(
    "  asked",
    asked().map((line) => line.slice(0, 40)),
  );
  python("mine", "exit 2", "exit 0");
  await pythons("named, broken", "mine");
  python("mine", "echo 3.10", "exit 0");
  await pythons("named", "mine");
  asked();
  calls.title("wheels");
  const own: Python = { command: join(bin, "pip"), args: ["-3"], version: "3.11" };
  const pip = (lines: string) => script(own.command, `echo "$*" >> ${log}; ${lines}`);
  const download = async (name: string, requirement = "tensorflow-cpu==2.1") => {
    const target = join(folder, "wheels", name);
    mkdirSync(target, { recursive: true });
    await calls.once(name, () =>
      within({ PATH, TARGET: target }, async () => {
        try {
          return await downloadWheel(own, requirement, target);
        } catch (error) {
          throw new Error(
            (error as Error).message.replace(`${process.platform} ${process.arch}`, "<machine>"),
          );
        }
      }),
    );
    calls.note("  asked", asked());
  };
  pip('echo abc > "$TARGET/tensorflow_cpu-2.1.5-cp311.whl"; echo x > "$TARGET/tensorflow_cpu-notes.txt"');
  await download("one");
  pip("exit 0");
  await download("none left");
  pip('echo "No matching distribution found"; exit 1');
  await download("for no Python");
  pip(
    'case "$*" in *3.12*) echo w > "$TARGET/nvidia_x_cu12-9-py3.whl";; *) echo "Could not find a version"; exit 1;; esac',
  );
  await download("of another Python", "nvidia-x-cu12<10,>=9");
  pip("echo ProxyError No matching distribution; exit 1");
  await download("unreachable");
  pip("exit 0");
  const wheel = { path: join(folder, "w.whl"), version: "1", bytes: 3 };
  await calls.once("unpack", () => unpackWheel(own, wheel, join(folder, "u"), ["a/", "b"]));
  calls.note(
    "  asked",
    asked()
      .filter((line) => !line.startsWith(" "))
      .map((line) => line.slice(-60)),
  );
  pip("echo No space left on device; exit 1");
  await calls.once("unpack on a full disk", () => unpackWheel(own, wheel, join(folder, "u")));
  await calls.once("CUDA's requirements", () => addCudaLibraries(own, wheel, folder, folder, () => {}));
  asked();
  calls.title("npm");
  const cli = put(
    join(folder, "npm", "bin", "npm-cli.js"),
    `require("node:fs").appendFileSync(${JSON.stringify(log)}, process.argv.slice(2).join(" ") + "\\n"); const { ACT = "" } = process.env; eval(ACT);`,
  );
  const withNpm = <Result>(ACT: string, body: () => Promise<Result> | Result) =>
    within({ npm_execpath: cli, ACT }, body);
  await calls.once("npm", () =>
    withNpm("console.log('hi'); process.exitCode = 4", () => npm(["view", "x"], folder)),
  );
  await calls.once("where", () => withNpm("", () => findNpm()));
  await calls.once("node-gyp, fetched", () => withNpm("", () => findNodeGyp(folder)));
  await calls.once("node-gyp, refused", () =>
    withNpm("console.log('E404'); process.exitCode = 1", () => findNodeGyp(folder)),
  );
  const gyp = put(
    join(folder, "npm", "node_modules", "node-gyp", "bin", "node-gyp.js"),
    `require("node:fs").appendFileSync(${JSON.stringify(log)}, "gyp " + process.argv.slice(2).map((word) => word.replace(/^--nodedir=.*/, "")).filter(Boolean).join(" ") + " " + process.env.npm_config_python + "\\n"); eval(process.env.ACT);`,
  );
  await calls.once("node-gyp, npm's", () => withNpm("", () => findNodeGyp(folder)));
  calls.note("  is it", gyp.endsWith("node-gyp.js"));
  calls.note("  asked", asked());
  const built = join(folder, "built");
  mkdirSync(built);
  await calls.once("a build that leaves nothing", () =>
    withNpm("console.log('gyp ok')", () => buildAddon(built, own)),
  );
  await calls.once("a build", () => {
    put(join(built, ADDON), "x");
    return withNpm("", () => buildAddon(built, { ...own, args: [] }));
  });
  await calls.once("a build that fails", () =>
    withNpm("console.log('g++: not found'); process.exitCode = 1", () => buildAddon(built, own)),
  );
  calls.note("  asked", asked());
  const sources = join(folder, "sources");
  mkdirSync(sources);
  await calls.once("sources, none", () => withNpm("", () => fetchAddonSources(sources)));
  await calls.once("sources, damaged", () =>
    withNpm("require('node:fs').writeFileSync('a.tgz', 'x')", () =>
      fetchAddonSources(sources).catch((error: Error) => error.message.split("\n")[0]),
    ),
  );
  calls.note("  left", readdirSync(sources));
  for (const words of ["getaddrinfo ENOTFOUND", "script broke"])
    await calls.once(`stock: ${words}`, () =>
      withNpm(`console.log(${JSON.stringify(words)}); process.exitCode = 1`, () =>
        installStock(folder, built),
      ),
    );
  calls.note("  asked", asked());
  calls.note("  allows", readFileSync(join(folder, "stock", "package.json"), "utf8"));
  await calls.once("stock, killed", () =>
    withNpm("process.kill(process.pid, 'SIGKILL')", () => installStock(folder, built)),
  );
  await calls.once("stock, no addon", () => withNpm("", () => installStock(folder, built)));
  calls.title("addons");
  const addon = (name: string, body: string) => put(join(folder, name, "a.js"), body);
  const verify = (
    name: string,
    body: string,
    gpu?: { index: number; name: string; capability: [number, number] },
  ) =>
    calls.once(name, () =>
      verifyAddon(addon(name, body), folder, gpu)
        .then(({ error, ...others }) => [others, error < 1e-3])
        .catch((error: Error) => {
          throw new Error(error.message.split("\n")[0].replace(/wrong by [\d.e-]+/, "wrong by …"));
        }),
    );
  const binding = (more = "", factor = "1") =>
    `let made = []; module.exports = { TF_Version: "2.9", TF_ATTR_BOOL: 1, TF_ATTR_TYPE: 2, TF_FLOAT: 3, isUsingGpuDevice: () => false, createTensor: (shape, dtype, values) => made.push({ shape, values }) - 1, executeOp: (op, attributes, [a, b]) => { const [x, y] = [made[a], made[b]]; const [m, n] = x.shape; const k = y.shape[1]; const out = new Float32Array(m * k); for (let i = 0; i < m; i++) for (let j = 0; j < k; j++) { let sum = 0; for (let l = 0; l < n; l++) sum += x.values[i * n + l] * y.values[l * k + j]; out[i * k + j] = ${factor} * sum; } return [{ id: made.push({ values: out }) - 1 }]; }, tensorDataSync: (id) => made[id].values, ${more} };`;
  await verify("right", binding());
  await verify("wrong", binding("", "1.01"));
  await verify("on a GPU", binding("isUsingGpuDevice: () => true"), {
    index: 0,
    name: "G",
    capability: [8, 0],
  });
  await verify("not on the GPU", `console.log("no CUDA-capable device"); ${binding()}`, {
    index: 0,
    name: "G",
    capability: [9, 0],
  });
  for (const words of [
    "version `GLIBCXX_3.4.99' not found",
    "libx.so.1: cannot open shared object file",
    "whatever",
  ])
    await verify(words, `console.log(${JSON.stringify(words)}); process.exit(1);`);
  calls.title("MPI");
  const mpi = (name: string, change: Record<string, string>) =>
    calls.once(name, () =>
      within(
        {
          LUVIT_ENGINE_CACHE: join(folder, "cache"),
          LUVIT_MPI_ADDON: undefined,
          MPICXX: join(bin, "cxx"),
          MPIEXEC: join(bin, "exec"),
          ...change,
        },
        () => {
          const said: string[] = [];
          return installMpi((line) => said.push(line)).then(
            ({ mpi, workers }) => [mpi, workers, said],
            (error: Error) => [error.message.split("\n")[0], said],
          );
        },
      ),
    );
  await mpi("no compiler", {});
  script(join(bin, "cxx"), "echo bad; exit 1");
  await mpi("a compiler that fails", {});
  script(
    join(bin, "cxx"),
    `echo "cxx $*" >> ${log}; while [ "$1" != -o ]; do shift; done; echo built > "$2"`,
  );
  script(join(bin, "exec"), `echo "exec $1 $2 $OMPI_ALLOW_RUN_AS_ROOT" >> ${log}; echo no sum`);
  await mpi("that does not sum", {});
  calls.note(
    "  asked",
    asked().map((line) =>
      line
        .replace(/\.installing-\d+/, ".installing")
        .replace(/ \S*src\/distributed/, " <root>/src/distributed"),
    ),
  );
  script(join(bin, "exec"), "echo x; echo 'summed over 2 with Open MPI 4.1'");
  await mpi("that sums", {});
  await calls.once("an engine without a GPU", () =>
    within({ PATH: bin, LUVIT_ENGINE_CACHE: join(folder, "cache2") }, () =>
      installEngine({ variant: "cuda" }).catch((error: Error) => error.message.split("\n")[0]),
    ),
  );
  calls.note("nothing made", existsSync(join(folder, "cache2")));
  calls.approve("engine/install/commands");
});
