import type { AffineMatrix } from "./shift";

/** Bits behind the point. */
const BITS = 100;

/** Cosine and sine, rounded once: those of JavaScript's Math may be off in the last bit, C's hardly ever are. */
function cosineAndSine(angle: number): [number, number] {
  const x = BigInt(Math.trunc(angle * 2 ** BITS));
  const sums = [0n, 0n];
  let term = 1n << BigInt(BITS);
  for (let n = 0; term !== 0n && term !== -1n; n++) {
    sums[n % 2] += n % 4 < 2 ? term : -term;
    term = ((term * x) >> BigInt(BITS)) / BigInt(n + 1);
  }
  const [cosine, sine] = sums.map((sum) => Number(sum) / 2 ** BITS);
  return [cosine, sine];
}

/** Rounded to 15 decimals as Python's `round`, which decides what right angles become. */
const round15 = (value: number) => Number(value.toFixed(15));

/** The matrix of Pillow's `rotate(degrees)`: counter-clockwise about the center, the frame stays. */
export function rotation(degrees: number, width: number, height: number): AffineMatrix {
  const turned = degrees % 360; // in Python's order of operations, to the last bit
  const angle = -((turned < 0 ? turned + 360 : turned) * (Math.PI / 180));
  const [cos, sin] = cosineAndSine(angle).map(round15);
  const minusSin = round15(-sin);
  const [x, y] = [width / 2, height / 2];
  return [cos, sin, cos * -x + sin * -y + x, minusSin, cos, minusSin * -x + cos * -y + y];
}
