import { Message } from "../protobuf";

/*
 * Writes the part of TensorFlow's protocol buffer schema that a graph of plain ops needs.
 * Reference: tensorflow/core/framework/{graph,node_def,attr_value,tensor,tensor_shape}.proto,
 * tensorflow/core/protobuf/{saved_model,meta_graph}.proto. Field numbers are the schema's.
 */

/** Element types used here, by TensorFlow's number (`DataType`). */
export const elementTypes = {
  float32: 1,
  int32: 3,
  uint8: 4,
  int64: 9,
  bool: 10,
  bfloat16: 14,
  resource: 20,
} as const;

export type TfDtype = keyof typeof elementTypes;

/** Numbers written into the graph. */
export interface TfTensor {
  readonly dtype: TfDtype;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** An attribute; a plain integer could be a float as well, so each says what it is. */
export type TfAttribute =
  | { readonly integer: number }
  | { readonly integers: readonly number[] }
  | { readonly float: number }
  | { readonly flag: boolean }
  | { readonly text: string }
  | { readonly type: TfDtype }
  | { readonly shape: readonly number[] }
  | { readonly tensor: TfTensor };

export type TfAttributes = Readonly<Record<string, TfAttribute>>;

/** One op call. Operands are "name:output"; "^name" only waits for it. */
export interface TfNode {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly attributes: TfAttributes;
}

/** Version of GraphDef that gives ops the meaning they have since TensorFlow 2.0. */
const PRODUCER = 1087;
export const TAG = "serve";

/** The bytes of saved_model.pb. */
export function encodeSavedModel(nodes: readonly TfNode[]): Uint8Array {
  const graph = new Message().messages(1, nodes.map(nodeDef)).message(4, new Message().integer(1, PRODUCER));
  const metaGraph = new Message().message(1, new Message().text(4, TAG)).message(2, graph);
  return new Message().integer(1, 1).message(2, metaGraph).finish();
}

function nodeDef({ name, op, inputs, attributes }: TfNode): Message {
  const message = new Message().text(1, name).text(2, op);
  for (const input of inputs) message.text(3, input);
  for (const [key, value] of Object.entries(attributes))
    message.message(5, new Message().text(1, key).message(2, attributeValue(value)));
  return message;
}

function attributeValue(value: TfAttribute): Message {
  const message = new Message();
  if ("text" in value) return message.text(2, value.text);
  if ("integers" in value) return message.message(1, new Message().integers(3, value.integers));
  if ("integer" in value) return message.integer(3, value.integer);
  if ("float" in value) return message.float(4, value.float);
  if ("flag" in value) return message.integer(5, value.flag ? 1 : 0);
  if ("type" in value) return message.integer(6, elementTypes[value.type]);
  if ("shape" in value) return message.message(7, shapeProto(value.shape));
  return message.message(8, tensorProto(value.tensor));
}

function shapeProto(shape: readonly number[]): Message {
  return new Message().messages(
    2,
    shape.map((length) => new Message().integer(1, length)),
  );
}

function tensorProto({ dtype, shape, data }: TfTensor): Message {
  return new Message().integer(1, elementTypes[dtype]).message(2, shapeProto(shape)).bytes(4, data);
}
