import { placeIn } from "../../distributed/place";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where programs, libraries, the user's folders, temporary files and languages are; what Node itself reads. */
const named = new Set([
  ...[
    "PATH",
    "PATHEXT",
    "HOME",
    "USERPROFILE",
    "HOMEDRIVE",
    "HOMEPATH",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
  ],
  ...["SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "NUMBER_OF_PROCESSORS", "TEMP", "TMP", "TMPDIR"],
  ...["LANG", "LANGUAGE", "TZ", "DISPLAY"],
  ...["NODE_OPTIONS", "NODE_PATH", "NODE_V8_COVERAGE", "UV_THREADPOOL_SIZE", "GLIBC_TUNABLES"],
]);

/** Settings of loaders, allocators, threads, graphics cards and the engines. */
const families =
  /^(LC|LD|DYLD|PROCESSOR|MALLOC|OMP|GOMP|EIGEN|KMP|MKL|OPENBLAS|ONEDNN|DNNL|CUDA|CUDNN|CUBLAS|NCCL|NVIDIA|ROCM|HIP|HSA|VK|DAWN|WAYLAND|XDG|MESA|TF|XLA|ORT|LUVIT)_/;

/** How a worker finds the others; only for one of several. */
const launchers =
  /^(OMPI|OPAL|ORTE|PRTE|PMI|PMIX|MPI|MPICH|MPIR|MPIEXEC|HYDRA|I_MPI|UCX|FI|HFI|PSM2|HWLOC|SLURM_(STEP|PROCID|NTASKS|JOB_ID|JOBID|LOCALID|NODEID|NODELIST|MPI|PMI))_?/;

/** Names like these are nobody's business, whatever they begin with. */
const secret = /TOKEN|SECRET|PASSW|CREDENTIAL|AUTH|(^|_)(API_?)?KEY(_|$)/;

/** What of this process's environment an engine's process gets: all it needs, and no tokens. */
export function engineEnvironment(all: Environment): Record<string, string> {
  const isWorker = placeIn(all).size > 1;
  const isPassed = ([name, value]: [string, string | undefined]): boolean => {
    const upper = name.toUpperCase();
    const isWanted = named.has(upper) || families.test(upper) || (isWorker && launchers.test(upper));
    return value !== undefined && isWanted && !secret.test(upper);
  };
  return Object.fromEntries(Object.entries(all).filter(isPassed)) as Record<string, string>;
}

/** The descriptor over which launchers of MPICH's family talk to a worker: the process that joins has to have it. */
export function launcherDescriptor(environment: Environment): number | undefined {
  const { PMI_FD: descriptor } = environment;
  return descriptor !== undefined && /^\d+$/.test(descriptor) ? Number(descriptor) : undefined;
}
