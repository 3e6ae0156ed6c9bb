#!/usr/bin/env node
// Builds a component of a handler: codenode-componentize MAIN --output FILE [--wit FOLDER] [--sdk FILE]
//
// esbuild bundles MAIN, the author's packages and this one; componentize-qjs puts QuickJS around the bundle. `--wit` is another contract than the one that comes
// with this package. `--sdk` is for where nothing is installed: the source that `codenode` is.

import { existsSync, writeFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { componentize } from "componentize-qjs";
import { build } from "esbuild";

const WORLD = "code-node-with-randomness";
/** The contract: in the package, and in the repository that the package is made of. */
const CONTRACTS = ["wit", "../wit"].map((folder) => fileURLToPath(new URL(folder, import.meta.url)));
/** Of the bundle, which is never written. */
const BUNDLE = "node.js";
/** Of what stands before the author's module. */
const ENTRY = "../entry.js";

const options = { wit: { type: "string" }, output: { type: "string", short: "o" }, sdk: { type: "string" } };
const { values, positionals } = parseArgs({ options, allowPositionals: true });
const [main] = positionals;
if (main === undefined || positionals.length > 1 || !values.output) {
  console.error("usage: codenode-componentize MAIN --output FILE [--wit FOLDER]");
  process.exit(2);
}
try {
  const source = await bundle(resolve(main), values.sdk);
  const made = await componentize({ witPath: values.wit ?? contract(), world: WORLD, jsSource: source, sync: true, optSize: true });
  writeFileSync(values.output, made.component);
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}

function contract() {
  const found = CONTRACTS.find((folder) => existsSync(folder));
  if (found === undefined) throw new Error(`there is no ${CONTRACTS[0]}, which comes with the package: install it again, or say --wit FOLDER`);
  return found;
}

/** One module, and behind it what each of its lines was in the author's sources. */
async function bundle(main, sdk) {
  if (!existsSync(main)) throw new Error(`there is no ${main}`);
  const built = await build({
    stdin: {
      contents: `import * as main from ${JSON.stringify(main)};\nimport { exported } from "codenode";\nexport const handle = exported(main.handle);`,
      resolveDir: dirname(main),
      sourcefile: ENTRY,
    },
    bundle: true,
    write: false,
    outfile: BUNDLE,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["codenode"],
    external: ["wasi:*"],
    sourcemap: "external",
    sourcesContent: false,
    logLevel: "warning",
    ...(sdk ? { alias: { codenode: resolve(sdk) } } : {}),
  });
  const [map, code] = [".map", ".js"].map((end) => built.outputFiles.find(({ path }) => path.endsWith(end)).text);
  return `${code}\nglobalThis.__codenode_lines = ${JSON.stringify(linesOf(JSON.parse(map), dirname(main)))};\n`;
}

/** For each line of the bundle, the author's file and its line; of packages, and of this one, none is told. */
function linesOf({ sources, mappings }, folder) {
  const names = sources.map((source) => relative(folder, resolve(source)));
  const isTheirs = names.map((name) => !name.startsWith("..") && !name.split("/").includes("node_modules"));
  let [source, line] = [0, 0];
  const lines = mappings.split(";").map((segments) => {
    let found = null;
    for (const segment of segments.split(",").filter(Boolean)) {
      const [, toSource, toLine] = numbersOf(segment);
      if (toSource === undefined) continue;
      [source, line] = [source + toSource, line + toLine];
      found ??= isTheirs[source] ? [source, line + 1] : null;
    }
    return found;
  });
  return { files: names.map((name, at) => (isTheirs[at] ? name : "")), lines };
}

/** The numbers of a segment of a source map, in base 64 VLQ: https://tc39.es/ecma426/#sec-base64-vlq */
function numbersOf(segment) {
  const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const numbers = [];
  let [number, shift] = [0, 0];
  for (const character of segment) {
    const digit = DIGITS.indexOf(character);
    number += (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    numbers.push(number & 1 ? -(number >> 1) : number >> 1);
    [number, shift] = [0, 0];
  }
  return numbers;
}
