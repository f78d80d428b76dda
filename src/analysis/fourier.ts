/** Discrete Fourier transforms of one length, by Cooley and Tukey's splitting over its prime factors, in float64. */
export class FourierTransform {
  private readonly cosines: Float64Array;
  private readonly sines: Float64Array;
  readonly real: Float64Array;
  readonly imaginary: Float64Array;
  private signal: ArrayLike<number> = [];

  constructor(readonly length: number) {
    const angle = (k: number) => (-2 * Math.PI * k) / length;
    this.cosines = Float64Array.from({ length }, (_, k) => Math.cos(angle(k)));
    this.sines = Float64Array.from({ length }, (_, k) => Math.sin(angle(k)));
    this.real = new Float64Array(length);
    this.imaginary = new Float64Array(length);
  }

  /** Transforms a real signal [length]; the result, in `real` and `imaginary`, holds until the next call. */
  run(signal: ArrayLike<number>): void {
    this.signal = signal;
    this.transform(0, 1, this.length, 0);
    // Bins that are real by symmetry: what rounding leaves there would decide between a phase of pi and of -pi.
    this.imaginary[0] = 0;
    if (this.length % 2 === 0) this.imaginary[this.length / 2] = 0;
  }

  /** Transform of signal[offset + i * stride], i < count, into real and imaginary from `at` on. */
  private transform(offset: number, stride: number, count: number, at: number): void {
    if (count === 1) {
      this.real[at] = this.signal[offset];
      this.imaginary[at] = 0;
      return;
    }
    const parts = smallestFactor(count);
    const size = count / parts;
    for (let part = 0; part < parts; part++) {
      this.transform(offset + part * stride, stride * parts, size, at + part * size);
    }
    for (let k = 0; k < size; k++) this.combine(k, parts, size, at);
  }

  /** The bins k, k + size, … of a transform from bin k of each of its parts. */
  private combine(k: number, parts: number, size: number, at: number): void {
    const { real, imaginary, cosines, sines, length } = this;
    const step = length / (parts * size);
    const re: number[] = [];
    const im: number[] = [];
    for (let bin = 0; bin < parts; bin++) {
      let [x, y] = [0, 0];
      for (let part = 0; part < parts; part++) {
        const turn = (part * (k + bin * size) * step) % length;
        const [a, b] = [real[at + part * size + k], imaginary[at + part * size + k]];
        x += a * cosines[turn] - b * sines[turn];
        y += a * sines[turn] + b * cosines[turn];
      }
      re.push(x);
      im.push(y);
    }
    for (let bin = 0; bin < parts; bin++) {
      real[at + bin * size + k] = re[bin];
      imaginary[at + bin * size + k] = im[bin];
    }
  }
}

function smallestFactor(count: number): number {
  for (let factor = 2; factor * factor <= count; factor++) if (count % factor === 0) return factor;
  return count;
}

/** Phases in (-pi, pi] of the Fourier transform of each row: values [R, length] -> [R, length]. */
export function rowPhases(values: ArrayLike<number>, length: number): Float64Array {
  const phases = new Float64Array(values.length);
  const transform = new FourierTransform(length);
  const row = new Float64Array(length);
  for (let start = 0; start < values.length; start += length) {
    for (let i = 0; i < length; i++) row[i] = values[start + i];
    transform.run(row);
    for (let i = 0; i < length; i++) {
      phases[start + i] = Math.atan2(transform.imaginary[i], transform.real[i]);
    }
  }
  return phases;
}
