// Reads resources as a JSON list from standard input, and prints a JSON list of what is wrong with them: by the
// TypeScript types (an unknown or missing field, a wrong type or enum) and by the validators (patterns, ranges).
import { createRequire } from "node:module";
import path from "node:path";
import ts from "typescript";

const PACKAGES = {
  "gateway.networking.k8s.io": "@kubernetes-models/gateway-api",
  "keda.sh": "@kubernetes-models/keda",
  "networking.gke.io": "@kubernetes-models/gke",
};

const require = createRequire(import.meta.url);
const here = import.meta.dirname;
const resources = JSON.parse(await new Response(process.stdin).text());

const moduleOf = ({ apiVersion }) => `${PACKAGES[apiVersion.split("/")[0]]}/${apiVersion}`;

async function validatorFaults(resource) {
  const module = moduleOf(resource).includes("/gke/") ? require(moduleOf(resource)) : await import(moduleOf(resource));
  try {
    new module[resource.kind](resource).validate();
    return [];
  } catch (error) {
    return [error.message];
  }
}

function typeFaults(all) {
  const source = all
    .map((resource, index) => {
      const type = `import("${moduleOf(resource)}").I${resource.kind}`;
      return `export const r${index}: ${type} = ${JSON.stringify(resource)};`;
    })
    .join("\n");
  const name = path.join(here, "resources.ts");
  const options = { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, noEmit: true, skipLibCheck: true, strict: true };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile;
  host.getSourceFile = (file, ...rest) =>
    file === name ? ts.createSourceFile(file, source, ts.ScriptTarget.Latest) : read(file, ...rest);
  const program = ts.createProgram([name], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText, file, start }) => {
    const where = file ? `resource ${file.getLineAndCharacterOfPosition(start).line}: ` : "";
    return where + ts.flattenDiagnosticMessageText(messageText, "\n");
  });
}

const faults = typeFaults(resources);
for (const resource of resources) faults.push(...(await validatorFaults(resource)));
console.log(JSON.stringify(faults));
