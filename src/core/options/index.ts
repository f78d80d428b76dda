/*
 * One schema per options object, for the API and the command line: zod checks it, JSON Schema and the commented start of a
 * configuration are made from it. `checkOptions` turns what zod finds into one error.
 */
export { checkOptions, problemsOf } from "./check";
export { describeValue } from "./describeValue";
export { entry, type Field, type ValueOf } from "./field";
export {
  callback,
  either,
  exactly,
  flag,
  instance,
  list,
  named,
  namedFolders,
  number,
  oneOf,
  pair,
  partsWith,
  path,
  row,
  seed,
  shaped,
  share,
  shareBelowOne,
  signal,
  such,
  text,
  whole,
} from "./fields";
export { jsonSchemaOf } from "./jsonSchema";
export { nearest } from "./nearest";
export { isPlain, type ObjectField, type OptionsField, object, optionsOf, partly, type Rule } from "./object";
export { withoutUndefined } from "./withoutUndefined";
