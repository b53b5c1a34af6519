import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { page } from "./page.js";

mkdirSync("dist", { recursive: true });
for (const name of readdirSync("pages")) {
  const file = `dist/${name.replace(/\.md$/, ".html")}`;
  writeFileSync(file, page(readFileSync(`pages/${name}`, "utf8")));
  console.log(file);
}
