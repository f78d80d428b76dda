import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";

/** The first part of every Jupyter message. */
export interface Header {
  msg_id: string;
  msg_type: string;
  session: string;
  username: string;
  date: string;
  version: string;
}

/** A Jupyter message as it came: who sent it, and its four signed parts. */
export interface Message {
  identities: Buffer[];
  header: Header;
  parent: Header | Record<string, never>;
  metadata: Record<string, unknown>;
  content: Record<string, unknown>;
  buffers: Uint8Array[];
}

/** What a message to be sent says. */
export interface Outgoing {
  type: string;
  content: object;
  parent?: Header | Record<string, never>;
  metadata?: object;
  buffers?: readonly Uint8Array[];
}

export const protocolVersion = "5.4";
const delimiter = "<IDS|MSG>";
const delimiterBytes = Buffer.from(delimiter);

/** Signatures of messages taken that are remembered, so that none of them is taken twice; as many as Jupyter's own. */
const rememberedSignatures = 1 << 16;

/** Writes and reads the frames of one kernel's messages; an empty key means unsigned. */
export class Wire {
  private readonly session = randomUUID();
  private readonly taken = new Set<string>();

  constructor(
    private readonly key: string,
    private readonly scheme: string,
  ) {}

  /** Frames of a message; `address` is the identities to answer to, or the topic. */
  encode(address: readonly (Buffer | string)[], message: Outgoing): (Buffer | string | Uint8Array)[] {
    const header: Header = {
      msg_id: randomUUID(),
      msg_type: message.type,
      session: this.session,
      username: "kernel",
      date: new Date().toISOString(),
      version: protocolVersion,
    };
    const parts = [header, message.parent ?? {}, message.metadata ?? {}, message.content].map((part) =>
      JSON.stringify(part),
    );
    return [...address, delimiter, this.sign(parts), ...parts, ...(message.buffers ?? [])];
  }

  /**
   * A message from its frames; undefined for what is not one, was signed with another key or has come before. No frame
   * is decoded before its signature is known to be right.
   */
  decode(frames: readonly Buffer[]): Message | undefined {
    const at = frames.findIndex((frame) => delimiterBytes.equals(frame));
    if (at < 0 || frames.length < at + 6) return undefined;
    const parts = frames.slice(at + 2, at + 6);
    const signature = frames[at + 1]!;
    if (!this.isSigned(signature, parts)) return undefined;
    try {
      const [header, parent, metadata, content] = parts.map((part) => readObject(part));
      if (typeof header?.msg_type !== "string" || typeof header.msg_id !== "string") return undefined;
      if (!parent || !metadata || !content || !this.isNew(signature)) return undefined;
      return {
        identities: frames.slice(0, at),
        header: scalars(header) as unknown as Header,
        parent: scalars(parent) as unknown as Header,
        metadata,
        content,
        buffers: frames.slice(at + 6),
      };
    } catch {
      return undefined;
    }
  }

  /** Whether a signature has not come before; without a key there are none. */
  private isNew(signature: Buffer): boolean {
    if (this.key === "") return true;
    const text = signature.toString("latin1");
    if (this.taken.has(text)) return false;
    if (this.taken.size >= rememberedSignatures) this.taken.delete(this.taken.values().next().value!);
    this.taken.add(text);
    return true;
  }

  private sign(parts: readonly (string | Buffer)[]): string {
    if (this.key === "") return "";
    const hmac = createHmac(this.scheme.replace(/^hmac-/, ""), this.key);
    for (const part of parts) hmac.update(part);
    return hmac.digest("hex");
  }

  private isSigned(signature: Buffer, parts: readonly Buffer[]): boolean {
    const expected = Buffer.from(this.sign(parts));
    return this.key === "" || (expected.length === signature.length && timingSafeEqual(expected, signature));
  }
}

/** A part of a message: a JSON object, where `null` is an empty one; undefined for everything else. */
function readObject(part: Buffer): Record<string, unknown> | undefined {
  const value: unknown = JSON.parse(part.toString("utf8"));
  if (value === null) return {};
  return typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}

/** A header without what no header has: it goes back with every answer, however deep it is. */
function scalars(header: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(header).filter(([, value]) => typeof value !== "object"));
}
