import type { HostTensor, StateDict } from "../../../src/core/hostTensor";

/** Rows or columns `part` of `count` of a matrix. */
function slice(
  { shape: [rows, columns], data }: HostTensor,
  axis: 0 | 1,
  part: number,
  count: number,
): HostTensor {
  const [height, width] = axis === 0 ? [rows / count, columns] : [rows, columns / count];
  const [top, left] = axis === 0 ? [part * height, 0] : [0, part * width];
  const own = Array.from({ length: height }, (_, row) => {
    const start = (top + row) * columns + left;
    return [...data.subarray(start, start + width)];
  });
  return { shape: [height, width], data: Float32Array.from(own.flat()) };
}

/** What rank `part` of `count` holds under fairscale's model parallelism. */
export function partOf(tensors: StateDict, part: number, count: number, embeddings: 0 | 1): StateDict {
  const axes: [RegExp, 0 | 1][] = [
    [/w[qkv13]\.weight|^output/, 0],
    [/w[o2]\.weight/, 1],
    [/^tok_embeddings/, embeddings],
  ];
  const split = ([name, tensor]: [string, HostTensor]): [string, HostTensor] => {
    const axis = axes.find(([pattern]) => pattern.test(name))?.[1];
    return [name, axis === undefined ? tensor : slice(tensor, axis, part, count)];
  };
  return new Map([...tensors].map(split));
}
