/** Keeps what was read last until a budget of bytes is used up; the one used longest ago goes first. */
export class RecentGroups {
  private readonly groups = new Map<string, Promise<readonly unknown[]>>();
  private readonly sizes = new Map<string, number>();
  private used = 0;

  constructor(readonly budgetBytes: number) {}

  /** Bytes held. */
  get bytes(): number {
    return this.used;
  }

  /** The cells of a group, from memory or read now; several who ask at once wait for one reading. */
  get<T>(key: string, read: () => Promise<T[]>): Promise<T[]> {
    const known = this.groups.get(key) as Promise<T[]> | undefined;
    if (known) {
      this.groups.delete(key);
      this.groups.set(key, known);
      return known;
    }
    const cells = read();
    this.groups.set(key, cells);
    cells.then(
      (values) =>
        this.count(
          key,
          values.reduce((sum, value) => sum + bytesOf(value), 0),
        ),
      () => this.groups.delete(key),
    );
    return cells;
  }

  private count(key: string, size: number): void {
    if (!this.groups.has(key)) return;
    this.sizes.set(key, size);
    this.used += size;
    for (const oldest of this.groups.keys()) {
      if (this.used <= this.budgetBytes || oldest === key) break;
      this.used -= this.sizes.get(oldest) ?? 0;
      this.sizes.delete(oldest);
      this.groups.delete(oldest);
    }
  }
}

function bytesOf(value: unknown): number {
  if (value instanceof Uint8Array) return value.length;
  const bytes = (value as { bytes?: unknown } | null)?.bytes;
  return bytes instanceof Uint8Array ? bytes.length + 64 : 64;
}
