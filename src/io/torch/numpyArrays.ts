import type { StoredDtype } from "../../core/hostTensor";
import { bytesPerElement } from "../bytes";
import { type PickleGlobal, PickleObject } from "./pickle";
import { asList, fail, foreignTensor, isCountList, TensorRef } from "./torchTensors";

type Add = (name: string, construct?: PickleGlobal["construct"]) => void;

/** numpy's names of types. */
const types: Readonly<Record<string, StoredDtype>> = {
  f8: "F64",
  f4: "F32",
  f2: "F16",
  i8: "I64",
  i4: "I32",
  i2: "I16",
  i1: "I8",
  u1: "U8",
  b1: "BOOL",
};

/** A numpy.dtype: "f4", and in which order its bytes are. */
class NumpyType extends PickleObject {
  private order = "|";
  /** Of structures and dates, which have no single number. */
  private isSimple = true;

  constructor(
    private readonly source: string,
    private readonly code: string,
  ) {
    super();
  }

  /** (version, byte order, …): what follows is about structures and subarrays. */
  setState(state: unknown): void {
    const [, order, ...structure] = asList(this.source, state);
    if (typeof order !== "string") fail(this.source, "a numpy type without an order of bytes");
    this.order = order as string;
    this.isSimple = structure.slice(0, 3).every((part) => part === null);
  }

  /** A type that is read; undefined for others. */
  get stored(): StoredDtype | undefined {
    const isSwapped = this.order === ">" && !this.code.endsWith("1");
    return this.isSimple && !isSwapped && Object.hasOwn(types, this.code) ? types[this.code] : undefined;
  }

  get name(): string {
    return `a numpy array of ${this.order === ">" ? "big-endian " : ""}${this.isSimple ? this.code : "structures"}`;
  }
}

/** A numpy array whose numbers lie in the pickle itself. */
export class NumpyArray extends PickleObject {
  /** undefined until the pickle has said what it holds. */
  tensor: TensorRef | undefined;

  constructor(private readonly source: string) {
    super();
  }

  /** (version, shape, type, whether columns come first, bytes). */
  setState(state: unknown): void {
    const [, shape, type, isFortran, bytes] = asList(this.source, state);
    this.hold(shape, type, isFortran === true, bytes);
  }

  hold(shape: unknown, type: unknown, isFortran: boolean, bytes: unknown): this {
    if (!(type instanceof NumpyType) || !isCountList(shape)) {
      return fail(this.source, "a numpy array with impossible shape or type");
    }
    const dtype = type.stored;
    this.tensor = dtype ? this.window(shape, dtype, isFortran, bytes) : foreignTensor(type.name);
    return this;
  }

  private window(shape: number[], dtype: StoredDtype, isFortran: boolean, bytes: unknown): TensorRef {
    const elements = shape.includes(0) ? 0 : shape.reduce((product, length) => product * length, 1);
    const length = bytes instanceof Uint8Array ? bytes.length : -1;
    if (length !== elements * bytesPerElement[dtype]) {
      const found = length < 0 ? "no bytes" : `${length} bytes`;
      return fail(this.source, `a numpy array [${shape.join(", ")}] of ${dtype} with ${found}`);
    }
    const strides = new Array<number>(shape.length);
    let step = 1;
    for (let i = 0; i < shape.length; i++) {
      const axis = isFortran ? i : shape.length - 1 - i;
      strides[axis] = step;
      step *= shape[axis];
    }
    const storage = { key: "numpy", dtype, elements, windowStart: 0, bytes: bytes as Uint8Array };
    return new TensorRef({ storage, dtype, offset: 0, shape: shape.slice(), strides });
  }
}

/**
 * What pickles of numpy arrays refer to, of numpy 1 and 2 and protocols 2 to 5.
 * Reference: numpy/_core/multiarray.py, numpy/_core/numeric.py, numpy/_core/src/multiarray/methods.c `array_setstate`.
 */
export function addNumpy(source: string, add: Add): void {
  add("numpy ndarray");
  add("numpy dtype", ([code]) => {
    if (typeof code !== "string" || !/^[A-Za-z]\d{0,9}$/.test(code))
      return fail(source, "a numpy type without a name");
    return new NumpyType(source, code);
  });
  for (const core of ["numpy.core", "numpy._core"]) {
    add(`${core}.multiarray _reconstruct`, () => new NumpyArray(source));
    add(`${core}.multiarray scalar`, ([type, bytes]) => new NumpyArray(source).hold([], type, false, bytes));
    add(`${core}.numeric _frombuffer`, ([bytes, type, shape, order]) =>
      new NumpyArray(source).hold(shape, type, order === "F", bytes),
    );
  }
  // Protocols before 3 have no bytes: they are written as text, a character each.
  add("_codecs encode", ([text, encoding], charge) => {
    if (typeof text !== "string" || encoding !== "latin1")
      return fail(source, "bytes that are written as no text");
    charge(text.length);
    return Uint8Array.from(text, (character) => {
      const code = character.codePointAt(0)!;
      return code < 256 ? code : fail(source, "bytes that are written as another text");
    });
  });
}

/** How many dicts deep arrays of weights lie. */
const DEEPEST = 6;

/** The dicts of a pickle with tensors in the place of numpy arrays; the number of these. */
export function placeArrays(root: unknown, deepest = DEEPEST, seen = new Set<unknown>()): number {
  if (!(root instanceof Map) || deepest === 0 || seen.has(root)) return 0;
  seen.add(root);
  let count = 0;
  for (const [key, value] of root) {
    if (value instanceof NumpyArray && value.tensor) {
      root.set(key, value.tensor);
      count++;
    } else count += placeArrays(value, deepest - 1, seen);
  }
  return count;
}
