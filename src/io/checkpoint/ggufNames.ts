const PART = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/s;

/** Paths of all parts of a split GGUF model, given any of them; undefined where the name is not that of a part. */
export function ggufPartsOf(path: string): string[] | undefined {
  const [, prefix, number, count] = PART.exec(path) ?? [];
  if (Number(number) < 1 || !(Number(count) > 1) || Number(number) > Number(count)) return undefined;
  const pathOf = (part: number) => `${prefix}-${digitsOf(part)}-of-${count}.gguf`;
  return Array.from({ length: Number(count) }, (_, i) => pathOf(i + 1));
}

/** The models among the names of a folder's files, each by its first part. */
export function ggufModels(names: readonly string[]): string[] {
  const files = names.filter((name) => name.endsWith(".gguf"));
  return [...new Set(files.map((name) => ggufPartsOf(name)?.[0] ?? name))];
}

/** The number of a part as it stands in a name. */
export function digitsOf(part: number): string {
  return String(part).padStart(5, "0");
}
