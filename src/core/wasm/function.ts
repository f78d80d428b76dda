import { type FunctionCode, leb } from "./binary";
import { type Code, F64, I32, I64, V128 } from "./values";

const types = { i32: 0x7f, i64: 0x7e, f64: 0x7c, v128: 0x7b } as const;
type TypeName = keyof typeof types;

/** A variable of a function. */
export type Local<Type> = Type & { set(value: Type): Code };
export type I32Local = Local<I32>;

/** Declares the variables of a function while its body is written down. */
export class Locals {
  private readonly declared: TypeName[] = [];

  constructor(private readonly parameters: number) {}

  i32 = () => this.make("i32", I32);
  i64 = () => this.make("i64", I64);
  f64 = () => this.make("f64", F64);
  v128 = () => this.make("v128", V128);

  get code(): Code {
    return [...leb(this.declared.length), ...this.declared.flatMap((type) => [1, types[type]])];
  }

  private make<Type>(type: TypeName, Class: new (code: Code) => Type): Local<Type> {
    this.declared.push(type);
    return local(this.parameters + this.declared.length - 1, Class);
  }
}

function local<Type>(index: number, Class: new (code: Code) => Type): Local<Type> {
  const set = (value: Type) => [...(value as { code: Code }).code, 0x21, ...leb(index)];
  return Object.assign(new Class([0x20, ...leb(index)]) as Type & object, { set });
}

/** A function of named i32 parameters. A body that returns a value gives that; statements give nothing. */
export function wasmFunction<Name extends string>(
  name: string,
  parameters: readonly Name[],
  write: (parameters: Record<Name, I32Local>, locals: Locals) => { body: Code[]; result?: I32 },
): FunctionCode {
  const locals = new Locals(parameters.length);
  const named = Object.fromEntries(parameters.map((parameter, i) => [parameter, local(i, I32)]));
  const { body, result } = write(named as Record<Name, I32Local>, locals);
  const signature = Array(parameters.length).fill(types.i32);
  return {
    name,
    type: [0x60, ...leb(signature.length), ...signature, ...(result ? [1, types.i32] : [0])],
    body: [...locals.code, ...body.flat(), ...(result?.code ?? []), 0x0b],
  };
}

/** Does `body` and repeats it while the condition, looked at last, holds. */
export const repeatWhile = (body: readonly Code[], condition: I32): Code => [
  ...[0x03, 0x40],
  ...body.flat(),
  ...[...condition.code, 0x0d, 0, 0x0b],
];

/**
 * Repeats `body` while the condition, looked at first, holds. It is looked at in two places, so that V8, which makes
 * constants anew in every turn otherwise, makes them before the loop: it takes nothing out of a loop that might be left
 * before it is needed.
 */
export const loopWhile = (condition: I32, body: readonly Code[]): Code =>
  when(condition, [repeatWhile(body, condition)]);

/** Counts `counter` from 0 to `count` - 1. */
export const forEach = (counter: I32Local, count: I32 | number, body: readonly Code[]): Code => [
  ...counter.set(new I32([0x41, 0])),
  ...loopWhile(counter.below(count), [...body, counter.set(counter.plus(1))]),
];

/** Copies bytes between places that do not overlap. */
export const copyBytes = (target: I32, source: I32, length: I32): Code => [
  ...[...target.code, ...source.code, ...length.code],
  ...[0xfc, 10, 0, 0],
];

export const when = (condition: I32, body: readonly Code[], otherwise: readonly Code[] = []): Code => [
  ...[...condition.code, 0x04, 0x40],
  ...body.flat(),
  ...(otherwise.length > 0 ? [0x05, ...otherwise.flat()] : []),
  0x0b,
];
