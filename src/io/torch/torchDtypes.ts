import type { StoredDtype } from "../../core/hostTensor";
import { bytesPerElement } from "../bytes";

/** Element types of torch by the names of their storage classes. */
export const storageDtypes: Readonly<Record<string, string>> = {
  DoubleStorage: "F64",
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
  ComplexFloatStorage: "complex64",
  ComplexDoubleStorage: "complex128",
  QInt8Storage: "qint8",
  QUInt8Storage: "quint8",
  QInt32Storage: "qint32",
  QUInt4x2Storage: "quint4x2",
  QUInt2x4Storage: "quint2x4",
};

/** What `torch.<name>` is called here; the types that are not read keep torch's name. */
const readable: Readonly<Record<string, StoredDtype>> = {
  float64: "F64",
  double: "F64",
  float32: "F32",
  float: "F32",
  float16: "F16",
  half: "F16",
  bfloat16: "BF16",
  int64: "I64",
  long: "I64",
  int32: "I32",
  int: "I32",
  int16: "I16",
  short: "I16",
  int8: "I8",
  uint8: "U8",
  bool: "BOOL",
};

const aliases: Readonly<Record<string, string>> = {
  cfloat: "complex64",
  cdouble: "complex128",
  chalf: "complex32",
};

/** All of torch's number types look like this, those of later versions too. */
const dtypeName = /^(u?int|float|bfloat|complex|q?u?int|bits?)\d+[a-z0-9_]*$/;

/** The element type behind the global `torch.<name>`; undefined for names that are none. */
export function torchDtype(name: string): string | undefined {
  if (Object.hasOwn(readable, name)) return readable[name];
  if (Object.hasOwn(aliases, name)) return aliases[name];
  return dtypeName.test(name) ? name : undefined;
}

/** Bytes of an element of types that are known by name only. */
const foreignBytes: Readonly<Record<string, number>> = {
  complex32: 4,
  complex64: 8,
  complex128: 16,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  qint8: 1,
  quint8: 1,
  qint32: 4,
};

export function isStoredDtype(dtype: string): dtype is StoredDtype {
  return Object.hasOwn(bytesPerElement, dtype);
}

/** Bytes of an element; undefined for types whose numbers nobody here can find. */
export function elementBytes(dtype: string): number | undefined {
  if (isStoredDtype(dtype)) return bytesPerElement[dtype];
  if (dtype.startsWith("float8_")) return 1;
  return Object.hasOwn(foreignBytes, dtype) ? foreignBytes[dtype] : undefined;
}
