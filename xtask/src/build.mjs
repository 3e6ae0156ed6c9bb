// Builds a component from JavaScript: node build.mjs SOURCE WIT WORLD OUTPUT
import { writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const [sourcePath, witPath, worldName, output] = process.argv.slice(2);
// Without what imports wasi:http, which codenode refuses.
const disableFeatures = ["http", "fetch-event"];
const { component } = await componentize({ sourcePath, witPath, worldName, disableFeatures });
await writeFile(output, component);
