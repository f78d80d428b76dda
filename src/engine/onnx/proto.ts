import {
  elementTypes,
  type OnnxAttribute,
  type OnnxInitializer,
  type OnnxModel,
  type OnnxNode,
  type OnnxValueInfo,
} from "./model";

/*
 * Writes the part of ONNX's protocol buffer schema that a model of plain operators needs.
 * Reference: onnx/onnx.proto; protobuf.dev/programming-guides/encoding. Field numbers are the schema's.
 */

/** What onnxruntime 1.30 reads: IR versions up to 13, opset 18 for reductions with axes as inputs. */
export const IR_VERSION = 10;
export const OPSET = 18;

/** A message under construction: byte pieces and their total length. */
class Message {
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

/** The bytes of a ModelProto, as onnxruntime loads them. */
export function encodeModel(model: OnnxModel): Uint8Array {
  const opset = (domain: string, version: number) => new Message().text(1, domain).integer(2, version);
  return new Message()
    .integer(1, IR_VERSION)
    .text(2, "luvit")
    .message(7, graphProto(model))
    .messages(8, [opset("", OPSET), opset("com.microsoft", 1)])
    .finish();
}

function graphProto({ name, nodes, inputs, outputs, initializers }: OnnxModel): Message {
  return new Message()
    .messages(1, nodes.map(nodeProto))
    .text(2, name)
    .messages(5, initializers.map(tensorProto))
    .messages(11, inputs.map(valueInfoProto))
    .messages(12, outputs.map(valueInfoProto));
}

function nodeProto({ op, domain, inputs, outputs, attributes }: OnnxNode, index: number): Message {
  const message = new Message();
  for (const name of inputs) message.text(1, name);
  for (const name of outputs) message.text(2, name);
  message.text(3, `${op}_${index}`).text(4, op);
  for (const [name, value] of Object.entries(attributes)) message.message(5, attributeProto(name, value));
  return domain ? message.text(7, domain) : message;
}

/** Numbers of AttributeProto.AttributeType. */
const [FLOAT, INTEGER, TEXT, INTEGERS] = [1, 2, 3, 7];

function attributeProto(name: string, value: OnnxAttribute): Message {
  const message = new Message().text(1, name);
  if (typeof value === "number") return message.integer(3, value).integer(20, INTEGER);
  if (typeof value === "string") return message.text(4, value).integer(20, TEXT);
  if ("float" in value) return message.float(2, value.float).integer(20, FLOAT);
  return message.integers(8, value).integer(20, INTEGERS);
}

function tensorProto({ name, shape, dtype, data }: OnnxInitializer): Message {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const message = new Message();
  if (shape.length > 0) message.integers(1, shape);
  return message.integer(2, elementTypes[dtype]).text(8, name).bytes(9, raw);
}

function valueInfoProto({ name, shape, dtype }: OnnxValueInfo): Message {
  const dimensions = shape.map((length) => new Message().integer(1, length));
  const tensor = new Message()
    .integer(1, elementTypes[dtype])
    .message(2, new Message().messages(1, dimensions));
  return new Message().text(1, name).message(2, new Message().message(1, tensor));
}
