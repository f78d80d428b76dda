/** Numbers as text, by which equal ones are shared; -0 is not 0. */
export const contents = (numbers: ArrayLike<number | bigint>): string =>
  Array.from(numbers, (x) => (Object.is(x, -0) ? "-0" : String(x))).join();
