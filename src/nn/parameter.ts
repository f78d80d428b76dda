import { LuvitError } from "../core/errors";
import { type FilePlace, formatShape, type HostTensor, sizeOf } from "../core/hostTensor";
import { Rng } from "../core/rng";
import { tf } from "../core/tf";

/** Fills a fresh parameter of the given shape. */
export type Initializer = (values: Float32Array, shape: readonly number[], rng: Rng) => void;

/**
 * One named tensor of a model. Memory is taken only when `value` is first read, so a paper-size model can be built,
 * counted and loaded piece by piece; the seed is fixed at construction, so the order of first reads does not matter.
 */
export class Parameter {
  /** Whether optimizers update it; frozen parameters get no gradient. */
  trainable = true;
  /** Where the values were read from, e.g. "model-00002-of-00002.safetensors"; undefined if initialized here. */
  source: string | undefined;
  private variable: tf.Variable | undefined;
  /** Loaded and not yet used; kept as it was stored. */
  private pending: HostTensor | undefined;
  /** Stands for the values that were given without a variable, and the variable's data while they are the same. */
  private given: { readonly stands: object; readonly data?: object } = { stands: {} };
  private owners = 1;
  private disposed = false;
  private substitute: tf.Variable | undefined;

  constructor(
    readonly shape: readonly number[],
    private readonly initialize: Initializer,
    private readonly seed: number,
  ) {}

  get size(): number {
    return sizeOf(this.shape);
  }

  /**
   * Runs `body` with `value` of each parameter given here being its substitute. A tracer uses this: the parameters' own
   * memory is neither needed nor touched.
   */
  static withSubstitutes<Result>(
    substitutes: Iterable<readonly [Parameter, tf.Variable]>,
    body: () => Result,
  ): Result {
    const pairs = [...substitutes];
    for (const [parameter, substitute] of pairs) parameter.substitute = substitute;
    try {
      return body();
    } finally {
      for (const [parameter] of pairs) parameter.substitute = undefined;
    }
  }

  /**
   * The live variable, created on first use.
   *
   * @throws LuvitError("bad-argument") once its last owner has disposed it.
   */
  get value(): tf.Variable {
    this.requireAlive();
    if (this.substitute) return this.substitute;
    if (!this.variable || this.variable.isDisposed) {
      const isAgain = this.variable !== undefined;
      const initial = tf.tensor(this.unusedValues(), [...this.shape], "float32");
      this.variable = tf.variable(initial);
      initial.dispose();
      this.given = { stands: isAgain ? {} : this.given.stands, data: this.variable.dataId };
      this.pending = undefined;
    }
    return this.variable;
  }

  /**
   * Replaces the values; where they were never used the tensor is kept, not copied, and one that lies in a file stays there.
   *
   * @throws LuvitError("shape-mismatch")
   */
  load(tensor: HostTensor, source?: string): void {
    if (formatShape(tensor.shape) !== formatShape(this.shape)) {
      throw new LuvitError(
        "shape-mismatch",
        `parameter of shape ${formatShape(this.shape)} given ${formatShape(tensor.shape)}`,
      );
    }
    this.source = source;
    this.disposed = false;
    if (!this.variable) {
      this.pending = tensor;
      this.given = { stands: {} };
      return;
    }
    const fresh = tf.tensor(numbersOf(tensor), [...this.shape], "float32");
    this.variable.assign(fresh);
    fresh.dispose();
  }

  /** A copy of the values on the host. */
  async read(): Promise<HostTensor> {
    return { shape: this.shape, data: (await this.peek()).slice() };
  }

  /** The values, to be read only: nothing is kept where they were never used, and nothing copied that is float32. */
  async peek(): Promise<Float32Array> {
    this.requireAlive();
    if (this.variable) return this.variable.data<"float32">();
    return this.unusedValues();
  }

  /** Stands for the values as they are now, to be compared: once they are changed, not used alone, it is another. Holds no memory. */
  get values(): object {
    const { stands, data } = this.given;
    return this.variable && this.variable.dataId !== data ? this.variable.dataId : stands;
  }

  /** Whether nobody has loaded or used it: its initial values, which are drawn when asked for, take no memory. */
  get isFresh(): boolean {
    return !this.variable && !this.pending;
  }

  /** The values, to be read only; what lies in a file stays there until its numbers are asked for. */
  async tensor(): Promise<HostTensor> {
    this.requireAlive();
    if (!this.variable && this.pending) return this.pending;
    return { shape: this.shape, data: await this.peek() };
  }

  /** Where its values lie in a file of this machine; undefined where they do not, or were used here. */
  place(): FilePlace | undefined {
    return this.variable ? undefined : this.pending?.place?.();
  }

  /** Lets go of values that were not used here and can be read again from the file they came from. */
  release(): void {
    this.pending?.release?.();
  }

  /** A parameter of its own with the same values. */
  async clone(): Promise<Parameter> {
    const copy = new Parameter(this.shape, this.initialize, this.seed);
    copy.trainable = this.trainable;
    if (!this.isFresh) copy.load(await this.read(), this.source);
    return copy;
  }

  /** Shares the storage with another model (frozen blocks of 0.8 GB are not copied). */
  share(): this {
    this.owners++;
    return this;
  }

  /** Leaves storage shared with another model for its own, with the same values; gives back the parameter to use. */
  detach(): Parameter {
    if (this.owners === 1) return this;
    const own = new Parameter(this.shape, this.initialize, this.seed);
    own.trainable = this.trainable;
    own.source = this.source;
    own.variable = tf.tidy(() => tf.variable(tf.clone(this.value)));
    this.owners--;
    return own;
  }

  /** Frees the storage once the last owner has let go. */
  dispose(): void {
    if (--this.owners > 0) return;
    this.variable?.dispose();
    this.variable = undefined;
    this.pending = undefined;
    this.disposed = true;
  }

  private requireAlive(): void {
    if (!this.disposed) return;
    throw new LuvitError(
      "bad-argument",
      `a parameter of shape ${formatShape(this.shape)} was disposed with its model; load or create the model again`,
    );
  }

  private unusedValues(): Float32Array {
    return this.pending ? numbersOf(this.pending) : this.initialValues();
  }

  private initialValues(): Float32Array {
    const values = new Float32Array(this.size);
    this.initialize(values, this.shape, new Rng(this.seed));
    return values;
  }
}

/** To be read only; nothing is kept that was not kept before. */
function numbersOf(tensor: HostTensor): Float32Array {
  return tensor.peek?.() ?? tensor.data;
}
