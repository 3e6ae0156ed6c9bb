// Builds a component from JavaScript: node build.mjs SOURCE WIT WORLD OUTPUT [FEATURE TO LEAVE OUT …]
import { writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const [sourcePath, witPath, worldName, output, ...disableFeatures] = process.argv.slice(2);
const { component } = await componentize({ sourcePath, witPath, worldName, disableFeatures });
await writeFile(output, component);
