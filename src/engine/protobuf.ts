/*
 * Writes protocol buffers, the format of ONNX models and TensorFlow graphs.
 * Reference: protobuf.dev/programming-guides/encoding.
 */

/** A message under construction: byte pieces and their total length. */
export class Message {
  private readonly pieces: Uint8Array[] = [];
  length = 0;

  private push(piece: Uint8Array): void {
    this.pieces.push(piece);
    this.length += piece.length;
  }

  /** An integer field; negative numbers take ten bytes, as the format has it. */
  integer(field: number, value: number): this {
    this.push(varint(8 * field));
    this.push(varint(value));
    return this;
  }

  float(field: number, value: number): this {
    this.push(varint(8 * field + 5));
    this.push(new Uint8Array(Float32Array.of(value).buffer));
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.push(varint(8 * field + 2));
    this.push(varint(value.length));
    this.push(value);
    return this;
  }

  text(field: number, value: string): this {
    return this.bytes(field, Buffer.from(value));
  }

  /** Repeated integers in one packed run. */
  integers(field: number, values: readonly number[]): this {
    return this.bytes(field, Buffer.concat(values.map(varint)));
  }

  message(field: number, value: Message): this {
    this.push(varint(8 * field + 2));
    this.push(varint(value.length));
    for (const piece of value.pieces) this.push(piece);
    return this;
  }

  messages(field: number, values: readonly Message[]): this {
    for (const value of values) this.message(field, value);
    return this;
  }

  finish(): Uint8Array {
    return Buffer.concat(this.pieces, this.length);
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
