import { marked } from "marked";

export function page(text) {
  return `<!doctype html>\n<meta charset="utf-8">\n<title>front-end</title>\n${marked.parse(text)}`;
}
