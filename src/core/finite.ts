/**
 * Whether there is neither a NaN nor an infinity. A sum of float32 in float64 cannot overflow, so one sum tells; four of
 * them, so that none waits for itself.
 */
export function allFinite(data: Float32Array): boolean {
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = data.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    a += data[i];
    b += data[i + 1];
    c += data[i + 2];
    d += data[i + 3];
  }
  for (let i = whole; i < data.length; i++) a += data[i];
  return Number.isFinite(a + b + c + d);
}
