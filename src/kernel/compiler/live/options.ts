import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type * as ts from "typescript";
import { ownTypesFolder, type TypeScript } from "../typescript";

/** Parts of the language's library that not every Node has, and how to see that this one does. */
const newer: [library: string, isThere: () => boolean][] = [
  ["es2024.arraybuffer", () => has(ArrayBuffer.prototype, "transfer")],
  ["es2024.collection", () => has(Map, "groupBy")],
  ["es2024.object", () => has(Object, "groupBy")],
  ["es2024.promise", () => has(Promise, "withResolvers")],
  ["es2024.regexp", () => has(RegExp.prototype, "unicodeSets")],
  ["es2024.sharedmemory", () => has(Atomics, "waitAsync")],
  ["es2024.string", () => has(String.prototype, "isWellFormed")],
  ["es2025.collection", () => has(Set.prototype, "union")],
  ["es2025.float16", () => has(globalThis, "Float16Array")],
  ["es2025.intl", () => has(Intl, "DurationFormat")],
  ["es2025.iterator", () => has(globalThis, "Iterator")],
  ["es2025.promise", () => has(Promise, "try")],
  ["es2025.regexp", () => has(RegExp, "escape")],
  ["esnext.array", () => has(Array, "fromAsync")],
  ["esnext.collection", () => has(Map.prototype, "getOrInsert")],
  ["esnext.disposable", () => has(globalThis, "DisposableStack")],
  ["esnext.error", () => has(Error, "isError")],
  ["esnext.sharedmemory", () => has(Atomics, "pause")],
  ["esnext.temporal", () => has(globalThis, "Temporal")],
  ["esnext.typedarrays", () => has(Uint8Array, "fromBase64")],
];

function has(holder: object, name: string): boolean {
  return name in holder;
}

/** File names of the libraries whose every name this Node has, so that nothing is promised that it lacks. */
export function runtimeLibraries(): string[] {
  const found = newer.filter(([, isThere]) => isThere()).map(([library]) => library);
  return ["es2023", ...found, "decorators", "decorators.legacy"].map((library) => `lib.${library}.d.ts`);
}

/** How cells and the local files they import are checked: leniently, as tslab does. */
export function checkOptions(compiler: TypeScript, folder: string): ts.CompilerOptions {
  const { ModuleKind, ModuleResolutionKind, ScriptTarget, JsxEmit } = compiler;
  return {
    target: ScriptTarget.ES2022,
    module: ModuleKind.Preserve,
    moduleResolution: ModuleResolutionKind.Bundler,
    moduleDetection: compiler.ModuleDetectionKind.Force,
    lib: runtimeLibraries(),
    jsx: JsxEmit.React,
    strict: false,
    noImplicitAny: false,
    allowJs: true,
    checkJs: false,
    allowImportingTsExtensions: true,
    resolveJsonModule: true,
    esModuleInterop: true,
    skipLibCheck: true,
    noEmit: true,
    noUncheckedSideEffectImports: false,
    ...typesOf(folder),
  };
}

/** How cells and local files become CommonJS. */
export function emitOptions(compiler: TypeScript): ts.CompilerOptions {
  return {
    target: compiler.ScriptTarget.ES2022,
    module: compiler.ModuleKind.CommonJS,
    moduleDetection: compiler.ModuleDetectionKind.Force,
    jsx: compiler.JsxEmit.React,
    strict: false,
    esModuleInterop: true,
    allowJs: true,
    newLine: compiler.NewLineKind.LineFeed,
  };
}

/** Global declarations: Node's, and those of `@types` that the notebook's own project names. */
function typesOf(folder: string): Pick<ts.CompilerOptions, "types" | "typeRoots"> {
  const roots = above(folder)
    .map((at) => join(at, "node_modules", "@types"))
    .filter((at) => existsSync(at));
  const own = ownTypesFolder();
  const hasNode = roots.some((root) => existsSync(join(root, "node", "package.json")));
  const named = typePackages(folder).filter((name) =>
    roots.some((root) => existsSync(join(root, name, "package.json"))),
  );
  return {
    types: [...new Set(["node", ...named])],
    typeRoots: hasNode || own === undefined ? roots : [...roots, own],
  };
}

/** What the nearest manifest lists of `@types`. */
function typePackages(folder: string): string[] {
  const manifest = above(folder)
    .map((at) => join(at, "package.json"))
    .find((path) => existsSync(path));
  if (manifest === undefined) return [];
  const { dependencies, devDependencies } = readManifest(manifest);
  const names = Object.keys({ ...dependencies, ...devDependencies });
  return names.filter((name) => name.startsWith("@types/")).map((name) => name.slice("@types/".length));
}

/** A folder and those around it. */
function above(folder: string): string[] {
  const parent = dirname(folder);
  return parent === folder ? [folder] : [folder, ...above(parent)];
}

function readManifest(path: string): Record<"dependencies" | "devDependencies", object | undefined> {
  const nothing = { dependencies: undefined, devDependencies: undefined };
  try {
    return { ...nothing, ...(JSON.parse(readFileSync(path, "utf8")) as object) };
  } catch {
    return nothing; // a manifest that is being written says nothing about types
  }
}
