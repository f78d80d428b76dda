/** Places of the k largest values, largest first; equal ones in their order. */
export function largest(values: ArrayLike<number>, k: number): Uint32Array {
  const heap: number[] = [];
  const isLess = (a: number, b: number) => values[a] < values[b] || (values[a] === values[b] && a > b);
  const sink = (from: number) => {
    let at = from;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && isLess(heap[child], heap[least])) least = child;
      }
      if (least === at) return;
      [heap[at], heap[least]] = [heap[least], heap[at]];
      at = least;
    }
  };
  for (let place = 0; place < values.length; place++) {
    if (heap.length < k) {
      heap.push(place);
      if (heap.length === k) for (let i = Math.floor(k / 2); i >= 0; i--) sink(i);
    } else if (isLess(heap[0], place)) {
      heap[0] = place;
      sink(0);
    }
  }
  return Uint32Array.from(heap).sort((a, b) => values[b] - values[a] || a - b);
}
