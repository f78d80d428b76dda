import { magicActions } from "../magics/actions";
import { actionsName } from "../magics/rewrite";
import { type Ask, dialogs } from "./dialogs";
import { CellModules, cellGlobals } from "./modules";
import { moduleNames } from "./run";

/** What is told to whom it concerns. */
interface Told {
  /** Another folder has become the current one. */
  moved(to: string): void;
  /** The code of a local file begins. */
  begins(file: string): void;
}

/** What cells find under names: values of earlier cells, modules, and what the kernel gives them. */
export class CellNames {
  readonly modules: CellModules;
  /** Names among the variables of cells that no cell has declared. */
  readonly kernels: ReadonlySet<string>;
  private readonly exports: Record<string, unknown> = {};
  private readonly globals: Record<string, unknown>;
  private given: Record<string, unknown>;

  /** `halt` throws where the cell was ended. */
  constructor(folder: string, signals: Int32Array, ask: Ask, halt: () => void, told: Told) {
    this.globals = cellGlobals(signals, halt, (name) => this.modules.load(name));
    this.modules = new CellModules(folder, this.globals, told.begins);
    this.given = this.namesIn(folder);
    const actions = magicActions((to) => {
      this.modules.moveTo(to);
      this.given = this.namesIn(to);
      told.moved(to);
    });
    Object.assign(this.exports, dialogs(ask, halt), { [actionsName]: actions });
    this.kernels = new Set(["__esModule", "tsLastExpr", ...Object.keys(this.exports)]);
  }

  /** The object that the top-level variables of a script, a cell or a local file, are properties of. */
  exportsOf(script: string): Record<string, unknown> {
    return this.modules.exportsOf(script) ?? this.exports;
  }

  /** Names and values that a cell's code is a function of. */
  get parameters(): readonly [names: string[], values: unknown[]] {
    return [Object.keys(this.given), Object.values(this.given)];
  }

  /** Whether a name has a value, of a cell, of the kernel or of Node. */
  isKnown(name: string): boolean {
    return Object.hasOwn(this.exports, name) || name in this.given || name in globalThis;
  }

  /** The value that a cell has left under this name, once. */
  take(name: string | undefined): unknown {
    if (name === undefined) return undefined;
    const value = this.exports[name];
    this.exports[name] = undefined; // deleting it would make every access to a variable slow
    return value;
  }

  private namesIn(folder: string): Record<string, unknown> {
    return { ...moduleNames(folder, this.exports), require: this.modules.require, ...this.globals };
  }
}
