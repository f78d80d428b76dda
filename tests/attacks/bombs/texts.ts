/** Texts in JSON that no file of a model, a run or a data set has, by what they are; some begin as a good one does. */
export function jsonTexts(good: string): Readonly<Record<string, string>> {
  const inside = (more: string) => good.trim().replace(/\}$/, `,${more}}`);
  const deep = (length: number) => "[".repeat(length) + "]".repeat(length);
  return {
    "lists 100000 deep": deep(100_000),
    "objects 100000 deep": `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`,
    "a good text with a list 5000 deep": inside(`"deep":${deep(5000)}`),
    "a list that ends nowhere": "[".repeat(1_000_000),
    "a number of a million digits": inside(`"num_hidden_layers":${"9".repeat(1e6)}`),
    "200000 keys": `{${Array.from({ length: 2e5 }, (_, i) => `"k${i}":0`).join(",")}}`,
    "__proto__ with fields": inside('"__proto__":{"polluted":1,"hidden_size":7}'),
    "constructor with a prototype": inside(
      '"constructor":{"prototype":{"polluted":1}},"toString":1,"valueOf":[]',
    ),
    "nothing but __proto__": '{"__proto__":null}',
    "__proto__ as its type": inside(
      '"model_type":"__proto__","torch_dtype":"constructor","hidden_act":"toString"',
    ),
    "names of methods for everything": `{${["peft_type", "plan", "step", "splits", "weight_map", "_data_files", "r", "format"].map((key) => `"${key}":"constructor"`).join(",")}}`,
    "methods as maps":
      '{"weight_map":{"__proto__":"x","constructor":"../../etc/passwd"},"splits":["__proto__"],"_data_files":[{"filename":"../../x"},null,{}]}',
    "nulls everywhere":
      '{"weight_map":null,"plan":null,"rng":null,"step":null,"splits":null,"_data_files":[null],"features":null,"__metadata__":null}',
    null: "null",
    "a text": '"config"',
    "half a character": '{"model_type":"\\ud800","a\\ud800":"\\udfff"}',
    "control characters": '{"model_type":"\\u001b]0;pwned\\u0007\\u001b[2J","\\u001b[31m":1}',
    nothing: "",
    zeros: "\0".repeat(10_000),
  };
}

const alias = Array.from(
  { length: 20 },
  (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(",")}]`,
);

/** The same in YAML, for the head of a data set's card. */
export const yamlTexts: Readonly<Record<string, string>> = {
  "aliases of aliases": `a0: &a0 [x,x]\n${alias.join("\n")}\nconfigs: *a20`,
  "an alias of itself": "configs: &a [*a, {config_name: x, data_files: *a}]",
  "lists 20000 deep": `configs: ${"[".repeat(20_000)}${"]".repeat(20_000)}`,
  "maps 20000 deep": `configs: ${"{a: ".repeat(20_000)}`,
  "__proto__ as a key":
    "__proto__:\n  configs: [{config_name: x}]\nconfigs:\n- config_name: __proto__\n  data_files: a/*",
  "constructor as a split":
    "configs:\n- config_name: default\n  data_files:\n  - split: constructor\n    path: a/*",
  "types that make objects": 'configs: !!js/function "function(){ process.exit(9) }"',
  "merged keys": "a: &a {__proto__: {polluted: 1}}\nconfigs:\n- <<: *a\n  config_name: x",
  "a glob of stars": `configs:\n- config_name: default\n  data_files: "${"*a".repeat(60)}b"`,
  "a glob of folders": `configs:\n- config_name: default\n  data_files: "${"**/".repeat(200)}b"`,
  "a glob with a set that is none": 'configs:\n- config_name: default\n  data_files: "[z-a]*"',
  "files above the folder":
    'configs:\n- config_name: default\n  data_files: ["../../*", "/etc/passwd"]\n  data_dir: ../..',
  "a text of a million quotes": `configs: "${"'".repeat(1e6)}`,
  nulls: "configs: [null]",
};

const huge = [0x7fffffff, 0xfffffff0];

/** A file with one of its numbers made huge, at every place of its beginning and its end. */
export function* hugeLengths(bytes: Uint8Array, most = 400): Generator<[where: string, mutant: Buffer]> {
  const places = Array.from({ length: Math.floor(bytes.length / 4) - 1 }, (_, i) => 4 * i);
  const ends = places.length <= most ? places : [...places.slice(0, most / 2), ...places.slice(-most / 2)];
  for (const at of ends) {
    const mutant = Buffer.from(bytes);
    if ((at / 4) % 2 === 0) mutant.writeUInt32LE(huge[(at / 8) % 2]!, at);
    else mutant.writeUInt32BE(huge[0]!, at);
    yield [`with a huge number at ${at}`, mutant];
  }
}
