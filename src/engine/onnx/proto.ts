import { Message } from "../protobuf";
import {
  elementTypes,
  type OnnxAttribute,
  type OnnxInitializer,
  type OnnxModel,
  type OnnxNode,
  type OnnxPort,
} from "./model";

/*
 * Writes the part of ONNX's protocol buffer schema that a model of plain operators needs.
 * Reference: onnx/onnx.proto. Field numbers are the schema's.
 */

/** What onnxruntime 1.30 reads: IR versions up to 13, opset 18 for reductions with axes as inputs. */
export const IR_VERSION = 10;
export const OPSET = 18;

/** The bytes of a ModelProto, as onnxruntime loads them. */
export function encodeModel(model: OnnxModel<OnnxPort>): Uint8Array {
  const opset = (domain: string, version: number) => new Message().text(1, domain).integer(2, version);
  return new Message()
    .integer(1, IR_VERSION)
    .text(2, "luvit")
    .message(7, graphProto(model))
    .messages(8, [opset("", OPSET), opset("com.microsoft", 1)])
    .finish();
}

function graphProto({ name, nodes, inputs, outputs, initializers }: OnnxModel<OnnxPort>): Message {
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

function valueInfoProto({ name, shape, dtype }: OnnxPort): Message {
  const tensor = new Message().integer(1, elementTypes[dtype]);
  const dimensions = shape?.map((length) => new Message().integer(1, length));
  if (dimensions) tensor.message(2, new Message().messages(1, dimensions));
  return new Message().text(1, name).message(2, new Message().message(1, tensor));
}
