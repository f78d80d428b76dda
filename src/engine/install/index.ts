export { type InstalledEngine, installedEngines, type Manifest, type Variant } from "./cache";
export { type InstallOptions, installEngine, megabytes, removeEngines } from "./install";
export { type InstalledMpi, installMpi } from "./mpi";
