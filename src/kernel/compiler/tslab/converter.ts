import { readFileSync } from "node:fs";
import Module from "node:module";
import { dirname } from "node:path";
import vm from "node:vm";
import type * as ts from "typescript";
import type { Completion, Diagnostic } from "../cellCompiler";
import { requireCached } from "../codeCache";
import type { TypeScript } from "../typescript";
import type { EditedFiles } from "./editedFiles";
import type { LibraryFiles } from "./libraryFiles";
import { quickInfo } from "./quickInfo";

/** A cell after type check and transpilation; without `output` it was rejected. */
export interface Conversion {
  output?: string;
  declOutput?: string;
  diagnostics: Diagnostic[];
  lastExpressionVar?: string;
  /** Local TypeScript files the cell imports, as CommonJS. */
  sideOutputs?: { path: string; data: string }[];
}

/** tslab's compiler: checks and transpiles cells that see the declarations of earlier ones. */
export interface Converter {
  convert(previous: string, source: string): Conversion;
  complete(previous: string, source: string, position: number): Completion;
  inspect(previous: string, source: string, position: number): ts.QuickInfo | undefined;
  addModule(name: string, source: string, metadata: CellMetadata): Diagnostic[];
  close(): void;
}

/** What a cell's doc comment says about it: `@module name` makes it a module. */
export interface CellMetadata {
  module?: string;
  mode?: "node" | "browser";
  jsx?: boolean;
}

/** What is changed in the compiler that tslab sees. */
export interface Overrides {
  compilerOptions: ts.CompilerOptions;
  /** Stands for `ts.transpileModule`, which tslab uses to turn ES modules into CommonJS. */
  transpile(source: string, options: ts.TranspileOptions): string;
  files: LibraryFiles;
  edited: EditedFiles;
}

interface ConverterModule {
  createConverter(options: { isJS?: boolean }): Converter;
}

/** TypeScript 5.0.4, loaded from where tslab has it. */
export function loadTslabTypeScript(): TypeScript {
  const own = tslabRequire();
  const { version } = own("@tslab/typescript-for-tslab/package.json") as { version: string };
  return requireCached(own.resolve("@tslab/typescript-for-tslab"), version) as TypeScript;
}

/** tslab's converter over a compiler with other options and our transpilation; tslab itself fixes both. */
export function createConverter(overrides: Overrides, language: "typescript" | "javascript"): Converter {
  const compiler = loadTslabTypeScript();
  const changed: TypeScript = {
    ...compiler,
    sys: Object.assign(Object.create(compiler.sys) as ts.System, {
      watchFile: overrides.edited.watchFile,
      getCurrentDirectory: () => process.cwd(), // the compiler's own remembers the first
    }),
    createWatchCompilerHost: ((
      files: string[],
      options: ts.CompilerOptions,
      system: ts.System,
      ...rest: []
    ) =>
      compiler.createWatchCompilerHost(
        files,
        { ...options, ...overrides.compilerOptions },
        Object.assign(withTimers(system), overrides.files.wrap(system)),
        ...rest,
      )) as TypeScript["createWatchCompilerHost"],
    ...{ getQuickInfoAtPosition: quickInfo(compiler) }, // of the compiler's own, used by tslab
    transpileModule: (source, options) => ({ outputText: overrides.transpile(source, options) }),
  };
  const { createConverter: create } = loadConverter(changed);
  return create({ isJS: language === "javascript" });
}

/**
 * tslab runs the compiler's rebuild itself and knows of one timer only. The compiler has a second one, for packages
 * that appear while it watches, which goes to Node; and a rebuild that throws must not stay pending for ever.
 */
function withTimers(system: ts.System): ts.System {
  const later = new Set<unknown>();
  return Object.assign(Object.create(system) as ts.System, {
    setTimeout(callback: (...values: unknown[]) => void, milliseconds: number, ...values: unknown[]) {
      if (callback.name.startsWith("invalidate")) {
        const timer = setTimeout(callback, 0, ...values).unref();
        later.add(timer);
        return timer;
      }
      return system.setTimeout!(() => reported(callback, values), milliseconds);
    },
    clearTimeout(timer: NodeJS.Timeout) {
      if (later.delete(timer)) clearTimeout(timer);
      else system.clearTimeout!(timer);
    },
  });
}

let crash: { error: unknown } | undefined;

function reported(rebuild: (...values: unknown[]) => void, values: unknown[]): void {
  try {
    rebuild(...values);
  } catch (error) {
    crash = { error };
  }
}

/** Throws what went wrong inside the compiler since the last call. */
export function throwCrash(): void {
  const found = crash;
  crash = undefined;
  if (found) throw found.error;
}

/** What a cell's doc comment says about it. */
export function cellMetadata(source: string): CellMetadata {
  const { getCodeMetadata } = require("tslab/dist/metadata") as {
    getCodeMetadata(source: string): CellMetadata;
  };
  return getCodeMetadata(source);
}

/** A copy of the converter module, whose compiler is the given one: it is loaded with a `require` of its own. */
function loadConverter(compiler: TypeScript): ConverterModule {
  const path = require.resolve("tslab/dist/converter");
  const own = Module.createRequire(path);
  const given = (name: string): unknown => (name === "@tslab/typescript-for-tslab" ? compiler : own(name));
  const wrapper = vm.runInThisContext(Module.wrap(readFileSync(path, "utf8")), { filename: path }) as (
    ...values: unknown[]
  ) => void;
  const made = { exports: {} };
  wrapper.call(made.exports, made.exports, given, made, path, dirname(path));
  return made.exports as ConverterModule;
}

function tslabRequire(): NodeJS.Require {
  return Module.createRequire(require.resolve("tslab"));
}
