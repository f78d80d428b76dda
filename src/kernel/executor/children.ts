/** Most named properties of one value that are listed. */
const mostNames = 500;

/** How many children a value has by number, and by name. */
export interface ChildCounts {
  indexed: number;
  named: number;
}

/** How many children a value has; elements of arrays, entries of maps and sets are numbered. */
export function childCounts(value: object): ChildCounts {
  if (isList(value)) return { indexed: value.length, named: 0 };
  if (isEntries(value)) return { indexed: value.size, named: 0 };
  return { indexed: 0, named: Object.keys(value).length };
}

/** Some of a value's numbered children, or its first named ones, as properties of an object of their own. */
export function part(value: object, start: number, count: number): object {
  const children: Record<string, unknown> = {};
  if (isList(value)) {
    const end = Math.min(start + count, value.length);
    for (let index = start; index < end; index++) if (index in value) children[index] = value[index];
    return children;
  }
  if (!isEntries(value)) return firstNamed(value);
  let index = 0;
  for (const entry of iterate(value)) {
    if (index >= start + count) break;
    if (index >= start) children[index] = entry;
    index++;
  }
  return children;
}

function firstNamed(value: object): object {
  const names = Object.keys(value).slice(0, mostNames);
  return Object.defineProperties(
    {},
    Object.fromEntries(names.map((name) => [name, Object.getOwnPropertyDescriptor(value, name)!])),
  );
}

function iterate(value: Map<unknown, unknown> | Set<unknown>): Iterable<unknown> {
  return value instanceof Map ? Map.prototype.entries.call(value) : Set.prototype.values.call(value);
}

function isList(value: object): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

function isEntries(value: object): value is Map<unknown, unknown> | Set<unknown> {
  return value instanceof Map || value instanceof Set;
}
