/** Where things are, and how the machine is set up. */
const names = [
  ...["PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "LANG", "TZ", "TMPDIR", "TMP", "TEMP", "DISPLAY"],
  ...[
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_V8_COVERAGE",
    "GLIBC_TUNABLES",
    "UV_THREADPOOL_SIZE",
    "LUVIT_ENGINE_CACHE",
  ],
  ...["SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA"],
];

/** Settings of the loader, of the allocator, of thread pools, of GPUs and of the engines' libraries. */
const families = [
  ...["LC_", "XDG_", "LD_", "DYLD_", "MALLOC_"],
  ...["OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "ONEDNN_", "DNNL_", "EIGEN_"],
  ...["CUDA_", "CUDNN_", "CUBLAS_", "NVIDIA_", "NCCL_", "VK_", "DAWN_", "WAYLAND_", "MESA_"],
  ...["TF_", "XLA_", "ORT_"],
];

/** What of this process's environment an engine process gets: what its libraries need, no tokens and no passwords. */
export function inheritedEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const needed = (name: string) => names.includes(name) || families.some((family) => name.startsWith(family));
  // Windows writes names as it likes: Path, SystemRoot.
  return Object.fromEntries(Object.entries(environment).filter(([name]) => needed(name.toUpperCase())));
}
