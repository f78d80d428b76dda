import { engineCache } from "../core/engineCache";
import {
  type InstalledEngine,
  installEngine,
  installedEngines,
  installMpi,
  megabytes,
  removeEngines,
  type Variant,
} from "../engine/install";
import { type CommandCall, command, UsageError } from "./command";

const engineHelp = `  luvit engine install [options]         build the tensorflow engine and keep it in the cache
      --cuda                             against TensorFlow with CUDA
      --stock                            take what tfjs-node-gpu itself downloads (TensorFlow 2.9, CUDA 11.2)
      --tensorflow <version>             a version pip offers (default: the newest)
  luvit engine install --mpi             build what training on many machines needs, with the site's MPI
  luvit engine list                      engines in the cache
  luvit engine remove [name ...]         remove engines, by default all
`;

const flags = {
  cuda: { type: "boolean" },
  stock: { type: "boolean" },
  tensorflow: { type: "string" },
  mpi: { type: "boolean" },
} as const;

export const engineCommand = command({
  name: "engine",
  help: engineHelp,
  flags,
  async run(call) {
    if (await runAction(call)) return 0;
    throw new UsageError(`engine takes install, list or remove, not ${call.words.join(" ") || "nothing"}`);
  },
});

/** The subcommands of `luvit engine`; false for words that are none. */
async function runAction({
  words: [action, ...names],
  flags: { cuda, stock, tensorflow, mpi },
  print,
}: CommandCall<typeof flags>): Promise<boolean> {
  if (action === "install" && mpi && names.length === 0 && !(cuda || stock || tensorflow)) {
    const built = await installMpi((line) => print(`  ${line}`));
    print(`${built.mpi}: summed over ${built.workers} in ${built.path}`);
    return true;
  }
  if (action === "install" && names.length === 0 && !mpi && !(cuda && stock) && !(stock && tensorflow)) {
    const variant: Variant = cuda ? "cuda" : stock ? "stock" : "cpu";
    const started = Date.now();
    const engine = await installEngine({ variant, tensorflow, report: (line) => print(`  ${line}`) });
    print(`installed in ${Math.round((Date.now() - started) / 1000)} s: ${describe(engine)}`);
    return true;
  }
  if (action === "list" && names.length === 0) {
    const engines = installedEngines({ here: false });
    for (const engine of engines) print(describe(engine));
    if (engines.length === 0) print(`no engines in ${engineCache()}; luvit engine install makes one`);
    return true;
  }
  if (action === "remove") {
    const removed = removeEngines(names.length > 0 ? names : undefined);
    print(removed.length > 0 ? `removed ${removed.join(", ")}` : `no engines in ${engineCache()}`);
    return true;
  }
  return false;
}

function describe({ name, tfjs, bytes, installed, folder }: InstalledEngine): string {
  return `${name} (tfjs-node-gpu ${tfjs}, ${megabytes(bytes)}, ${installed.slice(0, 10)}) in ${folder}`;
}
